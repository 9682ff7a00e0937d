//! OAuth clients that nobody here wrote, unmodified: what they need of an authorization server, they get.

use serde_json::{Value, json};

use crate::foreign::Foreign;
use crate::harness::client;

/// Nobody listens there: the scripts take what comes for it from the redirect.
const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
/// A resource with access tokens that are JWTs.
const RESOURCE: &str = "https://api.example/notes";
/// A client that is known by its document alone.
const DOCUMENT: &str = "https://app.example/oauth/client.json";
const SCOPE: &str = "openid email offline_access";

/// An authorization server with the clients below, and an MCP server behind it.
struct Server {
    foreign: Foreign,
    _mcp: Foreign,
}

impl Server {
    fn start() -> Option<Self> {
        let mcp = Foreign::node("clients/mcp-server.mjs", &[])?;
        let mut clients: Vec<Value> = METHODS.iter().map(|method| registered(method)).collect();
        clients.extend([
            zapier(),
            json!({
                "client_id": "suite",
                "token_endpoint_auth_method": "none",
                "application_type": "native",
                "grant_types": ["authorization_code", "refresh_token"],
                "redirect_uris": ["http://127.0.0.1/callback"],
            }),
        ]);
        let document = json!({
            "client_id": DOCUMENT,
            "client_name": "App",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        let settings = json!({
            "redirect_uri": REDIRECT_URI,
            "resource": RESOURCE,
            "clients": clients,
            "documents": {DOCUMENT: document},
            "mcp_server": mcp.url,
        });
        let foreign = Foreign::node("clients/control.mjs", &[&settings.to_string()])?;
        Some(Self { foreign, _mcp: mcp })
    }

    /// What every client is told, and these fields.
    fn input(&self, more: Value) -> Value {
        let mut input = json!({
            "issuer": self.foreign.url,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
            "person": {"email": "anna@example.com", "password": "any"},
            "parameters": {"prompt": "consent"},
        });
        let Value::Object(more) = more else { panic!("{more} is no object") };
        input.as_object_mut().unwrap().extend(more);
        input
    }

    /// Runs a client, which ends well, and gives what it saw.
    async fn run(&self, name: &str, more: Value) -> Value {
        // Where Node is and Python isn't.
        client(name, &self.input(more)).await.unwrap_or_default()
    }
}

const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"];

/// RFC 6749 §2.3.1 wants both parts of Basic encoded as in a form: some clients change all but letters and digits, others
/// nothing.
const SECRET: &str = "foreign_secret-with.dots~0123456789";

/// The client that authenticates by this method.
fn registered(method: &str) -> Value {
    let mut client = json!({"client_id": format!("foreign-{method}"), "token_endpoint_auth_method": method});
    match method {
        "none" => client["grant_types"] = json!(["authorization_code", "refresh_token"]),
        // The key of RFC 7515 appendix A.3.
        "private_key_jwt" => {
            client["jwk"] = json!({
                "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
            });
        }
        _ => client["client_secret"] = json!(SECRET),
    }
    client
}

/// The client that may leave PKCE out, and the redirect URI at the token endpoint.
fn zapier() -> Value {
    json!({"client_id": "zapier", "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post"})
}

#[tokio::test]
async fn openid_client_takes_every_step_by_each_way_to_authenticate() {
    let Some(server) = Server::start() else { return };
    for method in METHODS {
        let mut more = json!({"client": registered(method)});
        if method != "none" {
            more["client_credentials"] = json!("notes");
        }
        let seen = server.run("openid-client.mjs", more).await;
        assert_eq!(seen["claims"]["sub"], seen["userinfo"]["sub"], "{method}");
        assert_eq!(seen["userinfo"]["email"], "anna@example.com", "{method}");
    }
    let more = json!({"client": registered("client_secret_basic"), "dpop": true});
    server.run("openid-client.mjs", more).await;
}

#[tokio::test]
async fn oauth4webapi_finds_nothing_to_complain_of() {
    let Some(server) = Server::start() else { return };
    for method in METHODS {
        server.run("oauth4webapi.mjs", json!({"client": registered(method)})).await;
    }
    let more = json!({
        "client": registered("client_secret_basic"),
        "resource": RESOURCE,
        "scope": "openid notes offline_access",
        "jwt": true,
        "introspection": false,
    });
    let seen = server.run("oauth4webapi.mjs", more).await;
    assert_eq!(seen["accessToken"]["scope"], "notes");
}

#[tokio::test]
async fn authlib_connects_and_refreshes_by_itself() {
    let Some(server) = Server::start() else { return };
    for method in METHODS {
        server.run("authlib_client.py", json!({"client": registered(method)})).await;
    }
}

#[tokio::test]
async fn requests_oauthlib_connects_and_refreshes_by_itself() {
    let Some(server) = Server::start() else { return };
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        server.run("requests_oauthlib_client.py", json!({"client": registered(method)})).await;
    }
    server.run("requests_oauthlib_client.py", json!({"client": zapier(), "without_pkce": true})).await;
}

#[tokio::test]
async fn an_app_on_zapiers_platform_connects_and_refreshes() {
    let Some(server) = Server::start() else { return };
    let at = |path: &str| format!("{}{path}", server.foreign.url);
    let endpoints =
        json!({"authorize": at("/auth"), "token": at("/token"), "refresh": at("/token"), "test": at("/me")});
    let seen = server.run("zapier.mjs", json!({"client": zapier(), "endpoints": endpoints})).await;
    assert_eq!(seen["label"], "anna@example.com");
}

#[tokio::test]
async fn the_mcp_sdk_calls_a_protected_tool_however_its_client_became_known() {
    let Some(server) = Server::start() else { return };
    let url = format!("{}/protected/mcp", server.foreign.url);
    let known = registered("client_secret_basic");
    for (how, more) in [
        ("registered", json!({"client": known})),
        ("its document", json!({"client_metadata_url": DOCUMENT})),
        ("by itself", json!({})),
    ] {
        let mut more = more;
        more["server"] = json!(url);
        // It asks for what the challenge and the resource's metadata name.
        more["scope"] = Value::Null;
        let seen = server.run("mcp.mjs", more).await;
        assert_eq!(seen["resource"], url, "{how}");
        assert_eq!(seen["refreshed"], true, "{how}");
        assert_eq!(seen["headers"]["x-user"], "anna@example.com", "{how}");
        assert_eq!(seen["headers"]["authorization"], Value::Null, "{how}");
    }
}

#[tokio::test]
async fn the_conformance_suite_of_mcp_passes() {
    let Some(server) = Server::start() else { return };
    for resource in [Value::Null, json!(format!("{}/protected/mcp", server.foreign.url))] {
        let mut more = json!({
            "client": {"client_id": "suite"},
            // It sends none, and oidc-provider grants nothing for nothing.
            "parameters": {"prompt": "consent", "scope": "openid"},
        });
        if !resource.is_null() {
            more["resource"] = resource;
        }
        let seen = server.run("conformance.mjs", more).await;
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
