//! Discovery 1.0.

use axum::http::Method;
use serde_json::{Value, json};

use super::{id_claims, openid};
use crate::grant::rig::{ALGORITHMS, Rig};

const PATH: &str = "/.well-known/openid-configuration";

async fn document(rig: &Rig) -> Value {
    rig.send(Method::GET, PATH, &[]).await.expect(200).json()
}

#[tokio::test]
async fn oidc_discovery_3_what_is_required_is_there() {
    let rig = Rig::new().await;
    let document = document(&rig).await;
    for name in ["issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        assert!(document[name].as_str().unwrap().starts_with(&rig.world.url), "{name}");
    }
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    assert!(document["scopes_supported"].as_array().unwrap().contains(&"openid".into()));
}

#[tokio::test]
async fn oidc_discovery_3_the_algorithms_of_id_tokens_are_those_that_sign_and_never_none() {
    for (lines, algorithm) in ALGORITHMS {
        let rig = Rig::with(lines).await;
        assert_eq!(document(&rig).await["id_token_signing_alg_values_supported"], json!([algorithm]));
    }
}

#[tokio::test]
async fn oidc_discovery_3_what_is_not_supported_is_said_so_where_the_default_would_be_yes() {
    let rig = Rig::new().await;
    let document = document(&rig).await;
    for name in
        ["request_uri_parameter_supported", "request_parameter_supported", "claims_parameter_supported"]
    {
        assert_eq!(document[name], false, "{name}");
    }
}

#[tokio::test]
async fn oidc_discovery_3_the_claims_that_are_listed_are_those_that_come() {
    let rig = Rig::new().await;
    let listed = document(&rig).await["claims_supported"].clone();
    let listed = listed.as_array().unwrap();
    let ask = openid().with("scope", "openid profile email").with("nonce", "n");
    let tokens = rig.tokens_for("app", &ask).await;
    for name in id_claims(&rig, &tokens).await.as_object().unwrap().keys() {
        let is_of_the_protocol = ["iss", "aud", "exp", "iat"].contains(&name.as_str());
        assert!(is_of_the_protocol || listed.contains(&name.as_str().into()), "{name} in {listed:?}");
    }
}

#[tokio::test]
async fn oidc_discovery_4_the_document_is_json_at_its_path_and_the_same_as_that_of_rfc_8414() {
    let rig = Rig::new().await;
    let answer = rig.send(Method::GET, PATH, &[]).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), rig.metadata().await);
}

#[tokio::test]
async fn oidc_discovery_4_3_the_issuer_is_that_of_the_address_and_of_the_id_tokens() {
    let rig = Rig::new().await;
    let issuer = document(&rig).await["issuer"].clone();
    assert_eq!(issuer, rig.world.url);
    let tokens = rig.tokens_for("app", &openid()).await;
    assert_eq!(id_claims(&rig, &tokens).await["iss"], issuer);
}
