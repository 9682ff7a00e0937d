//! RFC 7523, JSON Web Tokens for client authentication (§2.2), with what RFC 7521 §4.2 says of assertions.

use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use model::{ClientAuthentication, GrantType};
use serde_json::{Value, json};
use vault::{SigningAlgorithm, SigningKey};

use super::rig::{Ask, Rig, SECRET, basic, error, text};
use crate::harness::Answer;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::new(vault::random::id(), algorithm, &algorithm.generate()).unwrap()
}

/// Registers an application that proves who it is by this key, and gets tokens for itself.
pub(super) async fn register(rig: &Rig, id: &str, jwk: Value) {
    let jwks = json!({ "keys": [jwk] });
    rig.register(id, |own| {
        own.authentication = ClientAuthentication::PrivateKeyJwt;
        own.jwks = Some(jwks);
        own.grant_types.push(GrantType::ClientCredentials);
    })
    .await;
}

/// A server, and an application `signer` with its key.
async fn signing() -> (Rig, SigningKey) {
    let rig = Rig::new().await;
    let key = key(SigningAlgorithm::Es256);
    register(&rig, "signer", key.public_jwk()).await;
    (rig, key)
}

/// Claims that are right, now.
pub(super) fn claims(rig: &Rig) -> Value {
    json!({
        "iss": "signer",
        "sub": "signer",
        "aud": rig.world.url,
        "iat": rig.seconds(),
        "exp": rig.seconds() + 60,
        "jti": HEXLOWER.encode(&vault::random::octets::<16>()),
    })
}

/// The same but for one claim, which is left out where it is null.
fn but(rig: &Rig, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims(rig);
    claims[name] = value.into();
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn ask_with(rig: &Rig, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let fields = [("grant_type", "client_credentials"), ("client_assertion", assertion)];
    let fields = [&fields[..], &[("client_assertion_type", ASSERTION_TYPE)], more].concat();
    rig.post("/oauth/token", &fields).await
}

pub(super) async fn ask(rig: &Rig, assertion: &str) -> Answer {
    ask_with(rig, assertion, &[]).await
}

/// RFC 7523 §3.2: what is not valid is `invalid_client`; the audit trail alone says why. Each try has a window of its own.
async fn refused(rig: &Rig, assertion: &str, why: &str) {
    let answer = ask_with(rig, assertion, &[("client_id", "signer")]).await;
    assert_eq!(
        (answer.status.as_u16(), &*error(&answer)),
        (401, "invalid_client"),
        "{assertion}: {answer:?}"
    );
    let event = rig.world.audited("application.authentication_failed").await;
    assert_eq!(event["reason"], why, "{assertion}");
    rig.world.pass(Duration::from_mins(2));
}

fn part(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

#[tokio::test]
async fn rfc7523_2_2_an_assertion_proves_who_asks_at_every_endpoint() {
    let (rig, key) = signing().await;
    let tokens = ask(&rig, &key.sign("JWT", &claims(&rig))).await.expect(200).json();
    let token = text(&tokens, "access_token");
    for (path, status) in [("/oauth/introspect", 200), ("/oauth/revoke", 200), ("/oauth/refresh", 400)] {
        let assertion = key.sign("JWT", &claims(&rig));
        let fields = [
            ("token", token),
            ("refresh_token", "x"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        let answer = rig.post(path, &fields).await.expect(status);
        assert!(!answer.body.contains("invalid_client"), "{answer:?}");
    }
}

#[tokio::test]
async fn rfc7523_2_2_the_assertion_type_is_the_one_and_there_is_one_assertion() {
    let (rig, key) = signing().await;
    let assertion = key.sign("JWT", &claims(&rig));
    let grant = ("grant_type", "client_credentials");
    for fields in [
        vec![grant, ("client_assertion", &*assertion)],
        vec![grant, ("client_assertion_type", ASSERTION_TYPE)],
        vec![
            grant,
            ("client_assertion", &assertion),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        ],
    ] {
        let answer = rig.post("/oauth/token", &fields).await.expect(401);
        assert_eq!(error(&answer), "invalid_client", "{fields:?}");
    }
    let twice = ask_with(&rig, &assertion, &[("client_assertion", &assertion)]).await.expect(400);
    assert_eq!(error(&twice), "invalid_request");
    ask(&rig, &assertion).await.expect(200);
}

#[tokio::test]
async fn rfc7521_4_2_a_client_id_may_be_left_out_and_has_to_be_the_same_where_it_is_not() {
    let (rig, key) = signing().await;
    register(&rig, "second", key.public_jwk()).await;
    let assertion = || key.sign("JWT", &claims(&rig));
    ask_with(&rig, &assertion(), &[("client_id", "signer")]).await.expect(200);
    for other in ["second", "app", "nobody"] {
        let answer = ask_with(&rig, &assertion(), &[("client_id", other)]).await.expect(401);
        assert_eq!(error(&answer), "invalid_client", "{other}");
    }
}

#[tokio::test]
async fn rfc7521_4_2_an_application_that_signs_has_no_other_method() {
    let (rig, _) = signing().await;
    let grant = [("grant_type", "client_credentials")];
    let header = basic("signer", SECRET);
    rig.post_with("/oauth/token", &[("authorization", &header)], &grant).await.expect(401);
    rig.post("/oauth/token", &[&grant[..], &[("client_id", "signer")]].concat()).await.expect(401);
}

#[tokio::test]
async fn rfc7523_3_point_1_the_issuer_is_the_application() {
    let (rig, key) = signing().await;
    for bad in [json!("app"), json!(rig.world.url), json!(["signer"]), Value::Null] {
        refused(&rig, &key.sign("JWT", &but(&rig, "iss", bad)), "wrong_issuer").await;
    }
}

#[tokio::test]
async fn rfc7523_3_point_2_the_subject_is_the_application() {
    let (rig, key) = signing().await;
    for bad in [json!("app"), json!("nobody"), json!(7), Value::Null] {
        refused(&rig, &key.sign("JWT", &but(&rig, "sub", bad)), "wrong_issuer").await;
    }
}

#[tokio::test]
async fn rfc7523_3_point_3_the_audience_is_us() {
    let (rig, key) = signing().await;
    let issuer = rig.world.url.clone();
    for good in [
        json!(issuer),
        json!([issuer]),
        json!(["https://other.example", issuer]),
        json!(rig.path("/oauth/token")),
    ] {
        ask(&rig, &key.sign("JWT", &but(&rig, "aud", good))).await.expect(200);
    }
    for bad in [
        json!("https://other.example"),
        json!(format!("{issuer}/")),
        json!([]),
        json!([[issuer]]),
        json!(""),
        json!("signer"),
        Value::Null,
    ] {
        refused(&rig, &key.sign("JWT", &but(&rig, "aud", bad)), "wrong_audience").await;
    }
}

#[tokio::test]
async fn rfc7523_3_point_4_it_ends_and_has_not_ended() {
    let (rig, key) = signing().await;
    for bad in [rig.seconds() - 3600, rig.seconds() - 60, 0, -1] {
        refused(&rig, &key.sign("JWT", &but(&rig, "exp", bad)), "over").await;
    }
    for bad in [json!("soon"), json!([]), Value::Null] {
        refused(&rig, &key.sign("JWT", &but(&rig, "exp", bad)), "no_end").await;
    }
    // Too far ahead, so that its use would have to be remembered for too long.
    for end in [rig.seconds() + 2 * 3600, i64::MAX] {
        refused(&rig, &key.sign("JWT", &but(&rig, "exp", end)), "over").await;
    }
    // Clocks differ a little.
    ask(&rig, &key.sign("JWT", &but(&rig, "exp", rig.seconds() - 30))).await.expect(200);
}

#[tokio::test]
async fn rfc7523_3_point_5_it_is_not_good_before_its_time() {
    let (rig, key) = signing().await;
    refused(&rig, &key.sign("JWT", &but(&rig, "nbf", rig.seconds() + 300)), "not_yet").await;
    ask(&rig, &key.sign("JWT", &but(&rig, "nbf", rig.seconds() + 30))).await.expect(200);
}

#[tokio::test]
async fn rfc7523_3_point_6_it_was_not_made_in_the_future() {
    let (rig, key) = signing().await;
    refused(&rig, &key.sign("JWT", &but(&rig, "iat", rig.seconds() + 300)), "not_yet").await;
    ask(&rig, &key.sign("JWT", &but(&rig, "iat", Value::Null))).await.expect(200);
}

#[tokio::test]
async fn rfc7523_3_point_7_it_has_an_identifier_and_works_once() {
    let (rig, key) = signing().await;
    for bad in [Value::Null, json!(""), json!(7)] {
        refused(&rig, &key.sign("JWT", &but(&rig, "jti", bad)), "no_id").await;
    }
    let assertion = key.sign("JWT", &claims(&rig));
    ask(&rig, &assertion).await.expect(200);
    assert_eq!(error(&ask(&rig, &assertion).await.expect(401)), "invalid_client");
    // The same identifier in another assertion, and at another endpoint.
    let jti = super::rig::claims(&assertion)["jti"].clone();
    let other = key.sign("JWT", &but(&rig, "jti", jti.clone()));
    let fields = [("token", "x"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &other)];
    assert_eq!(error(&rig.post("/oauth/revoke", &fields).await.expect(401)), "invalid_client");
    // Another application's identifiers are its own.
    register(&rig, "second", key.public_jwk()).await;
    let mut own = but(&rig, "jti", jti);
    own["iss"] = json!("second");
    own["sub"] = json!("second");
    ask(&rig, &key.sign("JWT", &own)).await.expect(200);
    // As long as it is good at all, clocks that differ included.
    rig.world.pass(Duration::from_secs(119));
    assert_eq!(error(&ask(&rig, &assertion).await.expect(401)), "invalid_client");
}

#[tokio::test]
async fn rfc7523_3_point_8_other_claims_are_no_matter() {
    let (rig, key) = signing().await;
    ask(&rig, &key.sign("JWT", &but(&rig, "https://other.example/claim", json!({"x": [1]}))))
        .await
        .expect(200);
    ask(&rig, &key.sign("client-authentication+jwt", &claims(&rig))).await.expect(200);
}

#[tokio::test]
async fn rfc7523_3_point_9_the_signature_is_by_the_key_that_is_registered() {
    let (rig, own) = signing().await;
    let good = own.sign("JWT", &claims(&rig));
    let (header, payload, signature) = {
        let mut parts = good.split('.');
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
    };
    let foreign = key(SigningAlgorithm::Es256).sign("JWT", &claims(&rig));
    let foreign_signature = foreign.rsplit('.').next().unwrap();
    refused(&rig, &foreign, "wrong_signature").await;
    refused(&rig, &format!("{header}.{payload}.{foreign_signature}"), "wrong_signature").await;
    let changed = part(&but(&rig, "exp", rig.seconds() + 120));
    refused(&rig, &format!("{header}.{changed}.{signature}"), "wrong_signature").await;
    refused(&rig, &format!("{header}.{payload}."), "wrong_signature").await;
    let none = part(&json!({"alg": "none", "typ": "JWT"}));
    let payload = part(&claims(&rig));
    refused(&rig, &format!("{none}.{payload}."), "wrong_signature").await;
    refused(&rig, &format!("{none}.{payload}.{signature}"), "wrong_signature").await;
}

#[tokio::test]
async fn rfc7523_3_point_9_a_public_key_is_no_shared_secret() {
    let (rig, own) = signing().await;
    let jwk = own.public_jwk();
    let x = BASE64URL_NOPAD.decode(jwk["x"].as_str().unwrap().as_bytes()).unwrap();
    for secret in [&x[..], jwk.to_string().as_bytes(), SECRET.as_bytes(), b""] {
        let header = part(&json!({"alg": "HS256", "typ": "JWT", "kid": jwk["kid"]}));
        let signed = format!("{header}.{}", part(&claims(&rig)));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        let forged = format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()));
        refused(&rig, &forged, "wrong_signature").await;
    }
}

#[tokio::test]
async fn rfc7523_3_point_9_a_key_of_another_name_or_kind_is_none() {
    let rig = Rig::new().await;
    let algorithm = SigningAlgorithm::Es256;
    let secret = algorithm.generate();
    let own = SigningKey::new(vault::random::id(), algorithm, &secret).unwrap();
    register(&rig, "signer", own.public_jwk()).await;
    let renamed = SigningKey::new(vault::random::id(), algorithm, &secret).unwrap();
    refused(&rig, &renamed.sign("JWT", &claims(&rig)), "wrong_signature").await;
    let eddsa = key(SigningAlgorithm::EdDsa);
    refused(&rig, &eddsa.sign("JWT", &claims(&rig)), "wrong_signature").await;
    ask(&rig, &own.sign("JWT", &claims(&rig))).await.expect(200);
}

#[tokio::test]
async fn rfc7523_3_point_9_a_key_that_was_replaced_is_good_no_more() {
    let (rig, old) = signing().await;
    let new = key(SigningAlgorithm::EdDsa);
    let jwks = json!({"keys": [new.public_jwk()]});
    let id = "signer".parse().unwrap();
    let grant = &rig.world.server.app.grant;
    grant.change(&id, |own| own.jwks = Some(jwks.clone()), model::Actor::Operator).await.unwrap();
    refused(&rig, &old.sign("JWT", &claims(&rig)), "wrong_signature").await;
    ask(&rig, &new.sign("JWT", &claims(&rig))).await.expect(200);
}

#[tokio::test]
async fn rfc7523_3_point_10_what_is_no_jwt_at_all_is_refused() {
    let (rig, own) = signing().await;
    let long = own.sign("JWT", &but(&rig, "padding", "x".repeat(20_000)));
    let critical = part(&json!({"alg": "ES256", "crit": ["exp"], "exp": 1}));
    let critical = format!("{critical}.{}.c2ln", part(&claims(&rig)));
    for bad in ["x", "..", "a.b.c", "e30.e30.e30", "e30.W10.e30", "a.b.c.d.e", "ä.ö.ü", &long, &critical] {
        refused(&rig, bad, "wrong_signature").await;
    }
}

#[tokio::test]
async fn rfc7523_3_2_a_refusal_says_invalid_client_and_nothing_of_why() {
    let (rig, own) = signing().await;
    let unknown = ask(&rig, &key(SigningAlgorithm::Es256).sign("JWT", &but(&rig, "sub", "nobody"))).await;
    let wrong = ask(&rig, &own.sign("JWT", &but(&rig, "aud", "https://other.example"))).await;
    assert_eq!(unknown.expect(401).body, wrong.expect(401).body);
    assert_eq!(rig.world.audited("application.authentication_failed").await["reason"], "wrong_audience");
}

#[tokio::test]
async fn rfc7523_5_rs256_is_taken_and_so_are_es256_and_eddsa() {
    let rig = Rig::new().await;
    let own = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let number = |octets: &[u8]| BASE64URL_NOPAD.encode(octets);
    // RFC 8017 appendix A.1.1 in DER: two numbers, 2048 bits behind an octet for the sign, and 65537.
    let public = own.public_key().as_ref();
    let jwk = json!({"kty": "RSA", "n": number(&public[9..265]), "e": number(&public[267..])});
    register(&rig, "signer", jwk).await;
    let signed = format!("{}.{}", part(&json!({"alg": "RS256"})), part(&claims(&rig)));
    let mut signature = vec![0; own.public_modulus_len()];
    own.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    ask(&rig, &format!("{signed}.{}", number(&signature))).await.expect(200);
    for (id, algorithm) in [("second", SigningAlgorithm::Es256), ("third", SigningAlgorithm::EdDsa)] {
        let own = key(algorithm);
        register(&rig, id, own.public_jwk()).await;
        let mut claims = claims(&rig);
        claims["iss"] = json!(id);
        claims["sub"] = json!(id);
        ask(&rig, &own.sign("JWT", &claims)).await.expect(200);
    }
}

#[tokio::test]
async fn rfc7523_2_2_a_code_is_redeemed_by_an_application_that_signs() {
    let (rig, own) = signing().await;
    let code = rig.code(&Ask::of("signer")).await;
    let assertion = own.sign("JWT", &claims(&rig));
    let more =
        [("client_secret", ""), ("client_assertion", &*assertion), ("client_assertion_type", ASSERTION_TYPE)];
    let tokens = rig.redeem_with("signer", &code, &more).await.expect(200).json();
    rig.userinfo(text(&tokens, "access_token")).await.expect(200);
}
