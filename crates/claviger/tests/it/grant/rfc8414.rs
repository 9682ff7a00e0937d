//! RFC 8414, Authorization Server Metadata.

use axum::http::Method;
use serde_json::{Value, json};

use super::rig::{Ask, Rig, error, proof};

const PATH: &str = "/.well-known/oauth-authorization-server";

#[tokio::test]
async fn rfc8414_2_what_is_required_is_there() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    for (name, path) in [
        ("issuer", ""),
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("jwks_uri", "/oauth/jwks"),
        ("revocation_endpoint", "/oauth/revoke"),
        ("introspection_endpoint", "/oauth/introspect"),
    ] {
        assert_eq!(metadata[name], rig.path(path), "{name}");
    }
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
}

#[tokio::test]
async fn rfc8414_2_the_issuer_has_neither_query_nor_fragment_nor_a_slash_at_its_end() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    let issuer = metadata["issuer"].as_str().unwrap();
    assert!(!issuer.contains(['?', '#']) && !issuer.ends_with('/'), "{issuer}");
}

#[tokio::test]
async fn rfc8414_2_the_grant_types_are_those_that_the_token_endpoint_knows() {
    let rig = Rig::new().await;
    let known = rig.metadata().await["grant_types_supported"].clone();
    for grant_type in [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        let fields = [&[("grant_type", grant_type)], &proof("app")[..]].concat();
        let answer = rig.post("/oauth/token", &fields).await.expect(400);
        let is_known = known.as_array().unwrap().contains(&grant_type.into());
        assert_eq!(error(&answer) != "unsupported_grant_type", is_known, "{grant_type}");
    }
}

#[tokio::test]
async fn rfc8414_2_scopes_response_modes_and_challenge_methods_are_those_that_are_taken() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    let scopes: Vec<&str> = metadata["scopes_supported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scope| scope.as_str().unwrap())
        .collect();
    let all = scopes.join(" ");
    let asked = Ask::of("app").with("scope", &all).with("response_mode", "query");
    assert!(rig.told(&asked).await.path().starts_with("/oauth/authorize/aut_"));
    for own in ["openid", "profile", "email", "offline_access", "reports.read", "reports.write"] {
        assert!(scopes.contains(&own), "{own} in {scopes:?}");
    }
    assert_eq!(metadata["response_modes_supported"], json!(["query"]));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
}

#[tokio::test]
async fn rfc8414_2_authentication_methods_come_with_algorithms_and_none_is_no_algorithm() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    for (endpoint, methods) in [
        ("token", json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])),
        ("revocation", json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"])),
        ("introspection", json!(["client_secret_basic", "client_secret_post", "private_key_jwt"])),
    ] {
        assert_eq!(metadata[format!("{endpoint}_endpoint_auth_methods_supported")], methods);
        let algorithms = &metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        let algorithms = algorithms.as_array().unwrap();
        assert!(
            algorithms.contains(&"RS256".into()) && algorithms.contains(&"ES256".into()),
            "{algorithms:?}"
        );
        let is_weak = |word: &Value| word == "none" || word.as_str().unwrap().starts_with("HS");
        assert!(!algorithms.iter().any(is_weak), "{algorithms:?}");
    }
}

#[tokio::test]
async fn rfc8414_2_nothing_is_promised_that_is_not_there() {
    let rig = Rig::new().await;
    let metadata = rig.metadata().await;
    for (name, value) in metadata.as_object().unwrap() {
        let address = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri");
        let Some(path) = address.map(|address| address.strip_prefix(&rig.world.url).unwrap()) else {
            continue;
        };
        for method in [Method::GET, Method::POST] {
            assert_ne!(rig.send(method, path, &[]).await.status, 404, "{name}");
        }
    }
}

#[tokio::test]
async fn rfc8414_3_the_document_lies_at_its_well_known_path() {
    let rig = Rig::new().await;
    rig.send(Method::GET, PATH, &[]).await.expect(200);
    rig.send(Method::GET, &format!("{PATH}/"), &[]).await.expect(404);
    rig.send(Method::POST, PATH, &[]).await.expect(405);
}

#[tokio::test]
async fn rfc8414_3_2_it_is_json_without_empty_lists_or_nulls() {
    let rig = Rig::new().await;
    let answer = rig.send(Method::GET, PATH, &[("accept", "text/html")]).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    for (name, value) in answer.json().as_object().unwrap() {
        assert!(!value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
    }
}

#[tokio::test]
async fn rfc8414_3_3_the_issuer_is_the_one_whose_address_the_document_has() {
    let rig = Rig::new().await;
    // Whatever the caller calls us.
    for headers in [vec![], vec![("host", "evil.example")], vec![("x-forwarded-host", "evil.example")]] {
        let metadata = rig.send(Method::GET, PATH, &headers).await.expect(200).json();
        assert_eq!(metadata["issuer"], rig.world.url);
        assert!(!metadata.to_string().contains("evil.example"));
    }
}

#[tokio::test]
async fn rfc8414_3_1_scripts_of_any_origin_may_read_it_and_keep_it_for_a_while() {
    let rig = Rig::new().await;
    let answer = rig.send(Method::GET, PATH, &[("origin", "https://spa.example")]).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
}
