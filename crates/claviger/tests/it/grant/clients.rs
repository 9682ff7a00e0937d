//! OAuth clients that nobody here wrote, unmodified (`tests/foreign/clients`): what they need of an authorization server, they get.

use grant::application::{NewApplication, plain, zapier};
use model::{Actor, ApplicationSettings, ClientAuthentication, GrantType, Secret};
use serde_json::{Value, json};

use super::rig::{EMAIL, PASSWORD, RESOURCE, Rig};
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
