//! §2: applications, and how they prove who they are.

use url::form_urlencoded::byte_serialize;

use crate::grant::rig::{Ask, CALLBACK, Rig, SECRET, VERIFIER, basic, error, proof};

const ASSERTION: [(&str, &str); 2] = [
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    ("client_assertion", "e30.e30.c2lnbmF0dXJl"),
];

/// A refresh that proves who asks, and has nothing to refresh: `invalid_grant` says that the proof was good.
const KNOCK: [(&str, &str); 2] = [("grant_type", "refresh_token"), ("refresh_token", "none")];

#[tokio::test]
async fn rfc6749_2_2_a_client_identifier_is_unique() {
    let rig = Rig::new().await;
    assert!(rig.register_with("app", SECRET, |_| {}).await.is_err(), "the configuration has it");
    rig.register("second", |_| {}).await;
    assert!(rig.register_with("second", SECRET, |_| {}).await.is_err(), "a row has it");
}

#[tokio::test]
async fn rfc6749_2_3_one_request_has_one_authentication_method() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let header = basic("app", SECRET);
    let header = [("authorization", &*header)];
    for (headers, proofs) in [
        (&header[..], proof("app")),
        (&header[..], vec![("client_secret", SECRET)]),
        (&header[..], ASSERTION.to_vec()),
        (&header[..], vec![("client_id", "other")]),
        (&[], [&proof("app")[..], &ASSERTION].concat()),
    ] {
        let answer = rig.post_with("/oauth/token", headers, &[&fields[..], &proofs].concat()).await;
        assert_eq!(error(&answer.expect(400)), "invalid_request", "{proofs:?}");
    }
    // Its name besides is no second method, and the code is not spent.
    let named = [&fields[..], &[("client_id", "app")]].concat();
    rig.post_with("/oauth/token", &header, &named).await.expect(200);
}

#[tokio::test]
async fn rfc6749_2_3_1_basic_is_supported_with_form_encoded_id_and_secret() {
    let rig = Rig::new().await;
    let (id, secret) = ("a+b%c&d=e/f", "p+q %r&s=t:u/v?wxyz");
    rig.register_with(id, secret, |_| {}).await.unwrap();
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let knock =
        async |header: &str| rig.post_with("/oauth/token", &[("authorization", header)], &KNOCK).await;
    for header in [
        basic(&encoded(id), &encoded(secret)),
        basic(&encoded(id), &encoded(secret).replace('+', "%20")),
        basic(&encoded(id), &encoded(secret)).replacen("Basic", "basic", 1),
    ] {
        assert_eq!(error(&knock(&header).await.expect(400)), "invalid_grant", "{header}");
    }
    for header in [
        basic(id, secret),
        basic(&encoded(id), secret),
        basic(&encoded(id), &encoded(&encoded(secret))),
        basic(&encoded(id), ""),
        "Basic".to_owned(),
        "Basic ***".to_owned(),
        basic("%ff", "x"),
    ] {
        let refused = knock(&header).await.expect(401);
        assert_eq!(error(&refused), "invalid_client", "{header}");
    }
}

#[tokio::test]
async fn rfc6749_2_3_1_id_and_secret_may_come_in_the_body() {
    let rig = Rig::new().await;
    let (id, secret) = ("a+b%c&d=e/f", "p+q %r&s=t:u/v?wxyz");
    rig.register_with(id, secret, |_| {}).await.unwrap();
    let fields = [&KNOCK[..], &[("client_id", id), ("client_secret", secret)]].concat();
    assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(400)), "invalid_grant");
}

#[tokio::test]
async fn rfc6749_2_3_1_credentials_are_not_taken_from_the_request_uri() {
    let rig = Rig::new().await;
    let address = format!("/oauth/token?client_id=app&client_secret={SECRET}");
    assert_eq!(error(&rig.post(&address, &KNOCK).await.expect(400)), "invalid_request");
    for path in ["/oauth/refresh", "/oauth/revoke", "/oauth/introspect", "/oauth/par"] {
        let fields = [&KNOCK[..], &proof("app")].concat();
        let answer = rig.post(&format!("{path}?client_secret={SECRET}"), &fields).await.expect(400);
        assert_eq!(error(&answer), "invalid_request", "{path}");
    }
}

#[tokio::test]
async fn rfc6749_2_3_1_guesses_of_a_secret_are_limited_at_every_endpoint() {
    let rig = Rig::new().await;
    let guess = [("token", "x"), ("client_id", "app"), ("client_secret", "a wrong guess")];
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"].repeat(3).iter().take(10)
    {
        let fields = [&guess[..], &KNOCK].concat();
        assert_eq!(error(&rig.post(path, &fields).await.expect(401)), "invalid_client", "{path}");
    }
    rig.post("/oauth/introspect", &guess).await.expect(429);
    // Another application of the same address is not locked out.
    let fields = [&KNOCK[..], &proof("other")].concat();
    rig.post("/oauth/token", &fields).await.expect(400);
}

#[tokio::test]
async fn rfc6749_2_3_2_an_application_has_the_method_that_it_is_registered_for() {
    let rig = Rig::new().await;
    for proofs in [
        vec![("client_id", "spa"), ("client_secret", SECRET)],
        vec![("client_id", "app")],
        [&[("client_id", "app")], &ASSERTION[..]].concat(),
        [&[("client_id", "spa")], &ASSERTION[..]].concat(),
        vec![("client_id", "nobody")],
        vec![],
    ] {
        let fields = [&KNOCK[..], &proofs].concat();
        let answer = rig.post("/oauth/token", &fields).await.expect(401);
        assert_eq!(error(&answer), "invalid_client", "{proofs:?}");
    }
}
