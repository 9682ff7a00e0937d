//! Authorization server metadata (RFC 8414).
//!
//! With a path in its issuer the sandbox answers below that path, since it does not own the root of the host.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer;
use crate::sandbox::Sandbox;
use crate::scope;
use crate::settings::{ClientAuth, Pkce};

/// `GET /.well-known/oauth-authorization-server`: how the sandbox behaves towards apps without settings of their own.
pub(crate) async fn get(State(sandbox): State<Sandbox>) -> Response {
    let base = sandbox.base();
    let state = sandbox.state();
    let settings = state.control.settings(None);
    let methods: &[&str] = match settings.client_auth {
        ClientAuth::Basic => &["client_secret_basic"],
        ClientAuth::Post => &["client_secret_post"],
        ClientAuth::Any => &["client_secret_basic", "client_secret_post"],
        ClientAuth::None => &["none"],
    };
    let mut document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/oauth/authorize"),
        "token_endpoint": format!("{base}/oauth/token"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "introspection_endpoint": format!("{base}/oauth/introspect"),
        "userinfo_endpoint": format!("{base}/oauth/userinfo"),
        "scopes_supported": scope::KNOWN,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": settings.send_iss,
    });
    if settings.pkce != Pkce::Unsupported {
        document["code_challenge_methods_supported"] = Value::from(vec!["S256"]);
    }
    answer::json_response(StatusCode::OK, &document)
}
