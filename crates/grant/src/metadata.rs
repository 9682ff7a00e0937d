//! What clients find out by themselves (RFC 8414, OpenID Connect Discovery). It says only what works.

use serde_json::{Map, Value, json};

use crate::Grant;
use crate::scope::STANDARD;

impl Grant {
    /// RFC 8414 §2. The same document serves OpenID Connect Discovery §3.
    pub fn metadata(&self) -> Value {
        let at = |path: &str| Value::from(format!("{}{path}", self.issuer()));
        let scopes: Vec<&str> =
            STANDARD.into_iter().chain(self.parts.settings.scopes.keys().map(String::as_str)).collect();
        let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]);
        let proving = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
        let algorithms = json!(vault::jwk::ALGORITHMS);
        let mut members = Map::new();
        let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
        add("issuer", self.issuer().into());
        add("authorization_endpoint", at("/oauth/authorize"));
        add("token_endpoint", at("/oauth/token"));
        add("revocation_endpoint", at("/oauth/revoke"));
        add("introspection_endpoint", at("/oauth/introspect"));
        add("userinfo_endpoint", at("/oauth/userinfo"));
        add("pushed_authorization_request_endpoint", at("/oauth/par"));
        add("jwks_uri", at("/oauth/jwks"));
        if self.parts.settings.mcp.registration {
            add("registration_endpoint", at("/oauth/register"));
        }
        add("scopes_supported", json!(scopes));
        add("response_types_supported", json!(["code"]));
        add("response_modes_supported", json!(["query"]));
        add("grant_types_supported", json!(["authorization_code", "refresh_token", "client_credentials"]));
        add("code_challenge_methods_supported", json!(["S256"]));
        add("token_endpoint_auth_methods_supported", methods.clone());
        add("token_endpoint_auth_signing_alg_values_supported", algorithms.clone());
        add("revocation_endpoint_auth_methods_supported", methods);
        add("revocation_endpoint_auth_signing_alg_values_supported", algorithms.clone());
        add("introspection_endpoint_auth_methods_supported", proving);
        add("introspection_endpoint_auth_signing_alg_values_supported", algorithms);
        if self.parts.settings.mcp.documents {
            add("client_id_metadata_document_supported", true.into());
        }
        add("authorization_response_iss_parameter_supported", true.into());
        add("require_pushed_authorization_requests", false.into());
        add("subject_types_supported", json!(["public"]));
        add("id_token_signing_alg_values_supported", json!(self.signing_algorithms()));
        add(
            "claims_supported",
            json!(["sub", "id", "email", "name", "team", "auth_time", "nonce", "at_hash"]),
        );
        add("prompt_values_supported", json!(["none", "login", "consent", "select_account"]));
        add("ui_locales_supported", json!(["en", "et"]));
        add("claims_parameter_supported", false.into());
        add("request_parameter_supported", false.into());
        add("request_uri_parameter_supported", false.into());
        Value::Object(members)
    }
}
