//! OAuth clients that nobody here wrote, unmodified (`tests/foreign/clients`): what they need of an authorization server, they get.

use grant::application::{NewApplication, plain, zapier};
use model::{Actor, ApplicationSettings, ClientAuthentication, Clock as _, GrantType, Secret};
use serde_json::{Value, json};

use store::applications::{Application, Registrar};

use super::rig::{EMAIL, PASSWORD, RESOURCE, Rig, claims};
use crate::foreign::Foreign;
use crate::harness::client;

/// Nobody listens there: the scripts take what comes for it from the redirect.
const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
const SCOPE: &str = "openid email offline_access";
const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"];

/// RFC 6749 §2.3.1 wants both parts of Basic encoded as in a form, where some clients change all but letters and digits, and
/// others nothing.
const SECRET: &str = "foreign_secret-with.dots~0123456789";

/// The server, and the clients below.
async fn server() -> Rig {
    let rig = Rig::new().await;
    for method in METHODS {
        let mut settings = plain(method, vec![REDIRECT_URI.parse().unwrap()]);
        settings.grant_types.push(GrantType::ClientCredentials);
        match method {
            "none" => {
                settings.authentication = ClientAuthentication::None;
                settings.grant_types.pop();
            }
            "private_key_jwt" => {
                settings.authentication = ClientAuthentication::PrivateKeyJwt;
                let mut key = jwk();
                key.as_object_mut().unwrap().remove("d");
                settings.jwks = Some(json!({ "keys": [key] }));
            }
            _ => {}
        }
        register(&rig, &format!("foreign-{method}"), settings).await;
    }
    register(&rig, "zapier", zapier("Zapier", vec![REDIRECT_URI.parse().unwrap()])).await;
    rig
}

async fn register(rig: &Rig, id: &str, mut settings: ApplicationSettings) {
    settings.scopes = rig.world.server.app.grant.settings().all_scopes();
    let new = NewApplication {
        client_id: Some(id.parse().unwrap()),
        secret: (settings.authentication == ClientAuthentication::Secret).then(|| Secret::from(SECRET)),
        settings,
    };
    rig.world.server.app.grant.register(new, Actor::Operator).await.unwrap();
}

/// The key of RFC 7515 appendix A.3.
fn jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    })
}

/// The client that authenticates by this method, as its script knows it.
fn own(method: &str) -> Value {
    let mut client = json!({"client_id": format!("foreign-{method}"), "token_endpoint_auth_method": method});
    match method {
        "none" => {}
        "private_key_jwt" => client["jwk"] = jwk(),
        _ => client["client_secret"] = json!(SECRET),
    }
    client
}

/// Runs a client, which ends well, and gives what it saw; `null` where its interpreter is absent.
async fn run(rig: &Rig, name: &str, more: Value) -> Value {
    let mut input = json!({
        "issuer": rig.world.url,
        "redirect_uri": REDIRECT_URI,
        "scope": SCOPE,
        "person": {"email": EMAIL, "password": PASSWORD},
    });
    let Value::Object(more) = more else { panic!("{more} is no object") };
    input.as_object_mut().unwrap().extend(more);
    client(name, &input).await.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client_takes_every_step_by_each_way_to_authenticate() {
    let rig = server().await;
    for method in METHODS {
        let mut more = json!({"client": own(method)});
        if method != "none" {
            more["client_credentials"] = json!("reports.read");
        }
        let seen = run(&rig, "openid-client.mjs", more).await;
        assert_eq!(seen["claims"]["sub"], seen["userinfo"]["sub"], "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth4webapi_finds_nothing_to_complain_of() {
    let rig = server().await;
    for method in METHODS {
        run(&rig, "oauth4webapi.mjs", json!({"client": own(method)})).await;
    }
    let mut settings = plain("JWT", vec![REDIRECT_URI.parse().unwrap()]);
    settings.access_token_format = model::AccessTokenFormat::Jwt;
    register(&rig, "foreign-jwt", settings).await;
    let more = json!({
        "client": {"client_id": "foreign-jwt", "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_basic"},
        "resource": RESOURCE,
        "scope": "openid reports.read offline_access",
        "jwt": true,
    });
    run(&rig, "oauth4webapi.mjs", more).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_connects_and_refreshes_by_itself() {
    let rig = server().await;
    for method in METHODS {
        run(&rig, "authlib_client.py", json!({"client": own(method)})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_oauthlib_connects_and_refreshes_by_itself() {
    let rig = server().await;
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        run(&rig, "requests_oauthlib_client.py", json!({"client": own(method)})).await;
    }
    let zapier = json!({"client_id": "zapier", "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post"});
    run(&rig, "requests_oauthlib_client.py", json!({"client": zapier, "without_pkce": true})).await;
}

/// The server before an MCP server, and open to clients that nobody registered.
async fn mcp_server() -> Option<(Rig, Foreign)> {
    let mcp = Foreign::node("clients/mcp-server.mjs", &[])?;
    let lines = format!(
        "[[protect]]\npath = \"/protected/mcp\"\nupstream = \"{}\"\nscopes = [\"reports.read\"]\n\
         [grant.mcp]\nenabled = true\n",
        mcp.url
    );
    Some((Rig::with_more(&lines).await, mcp))
}

/// A client that is known by its document, which was read a moment ago: the SDK takes https alone.
async fn read_document(rig: &Rig) -> &'static str {
    const DOCUMENT: &str = "https://app.example/oauth/client.json";
    let now = rig.world.clock.now();
    let mut settings = plain("App", vec![REDIRECT_URI.parse().unwrap()]);
    settings.authentication = ClientAuthentication::None;
    settings.scopes = rig.world.server.app.grant.settings().all_scopes();
    let application = Application {
        client_id: DOCUMENT.parse().unwrap(),
        settings,
        secrets: Vec::new(),
        registrar: Registrar::Document,
        registration_token: None,
        auth_method: None,
        fresh_until: Some(now + std::time::Duration::from_hours(1)),
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    assert!(rig.world.server.app.store.applications.create(&application).await.unwrap());
    DOCUMENT
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mcp_sdk_calls_a_protected_tool_however_its_client_became_known() {
    let Some((rig, _mcp)) = mcp_server().await else { return };
    register(&rig, "foreign-client_secret_basic", plain("Known", vec![REDIRECT_URI.parse().unwrap()])).await;
    let document = read_document(&rig).await;
    let url = rig.path("/protected/mcp");
    for (how, more) in [
        ("registered", json!({"client": own("client_secret_basic")})),
        ("its document", json!({"client_metadata_url": document})),
        ("by itself", json!({})),
    ] {
        let mut more = more;
        more["server"] = json!(url);
        // It asks for what the challenge and the resource's metadata name.
        more["scope"] = Value::Null;
        let seen = run(&rig, "mcp.mjs", more).await;
        assert_eq!(seen["resource"], url, "{how}");
        assert_eq!(seen["refreshed"], true, "{how}");
        assert_eq!(seen["asked"], "reports.read", "{how}");
        let identity = claims(seen["headers"]["claviger-identity"].as_str().unwrap());
        assert_eq!(identity["email"], EMAIL, "{how}");
        assert_eq!(seen["headers"]["authorization"], Value::Null, "{how}");
        if how == "its document" {
            assert_eq!(seen["client_id"], document);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conformance_suite_of_mcp_passes() {
    let Some((rig, _mcp)) = mcp_server().await else { return };
    let mut settings = plain("Suite", vec!["http://127.0.0.1/callback".parse().unwrap()]);
    settings.authentication = ClientAuthentication::None;
    register(&rig, "suite", settings).await;
    for resource in [Value::Null, json!(rig.path("/protected/mcp"))] {
        let mut more = json!({"client": {"client_id": "suite"}});
        if !resource.is_null() {
            more["resource"] = resource;
        }
        let seen = run(&rig, "conformance.mjs", more).await;
        let wanted = [
            "authorization-code-grant",
            "authorization-server-metadata",
            "authorization-server-metadata-cimd",
        ];
        for check in wanted {
            assert_eq!(seen["checks"][check], "SUCCESS", "{seen}");
        }
    }
}
