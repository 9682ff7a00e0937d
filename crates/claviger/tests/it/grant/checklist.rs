//! The checklist of RFC 9700 and OAuth 2.1 in the specification, row by row. Row 18 (sender-constrained tokens) comes later, and the
//! metadata does not promise it.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::rig::{
    Ask, CALLBACK, OTHER_RESOURCE, RESOURCE, Rig, SECRET, VERIFIER, ZAPIER_ID, basic, error, hidden, proof,
    text,
};
use super::{on_both, rfc7523};
use crate::harness::browser::parameter;
use crate::harness::{Answer, Browser};

#[tokio::test]
async fn row_01_redirect_uris_are_compared_byte_for_byte_and_only_a_loopback_port_may_differ() {
    let rig = Rig::new().await;
    for (client, uri) in [
        ("app", "https://app.example.com/callback/"),
        ("app", "https://app.example.com/Callback"),
        ("app", "https://app.example.com/callback%2F"),
        ("app", "https://app.example.com/callback?x=1"),
        ("app", "https://sub.app.example.com/callback"),
        ("app", "https://app.example.com:443/callback"),
        ("app", "http://app.example.com/callback"),
        ("app", "https://app.example.com/second"),
        ("native", "http://x@127.0.0.1/callback"),
        ("native", "http://127.0.0.1:1/callback/"),
        ("native", "http://localhost:1/callback"),
        (ZAPIER_ID, "https://zapier.com/dashboard/auth/oauth/return/App235737CLIAPI"),
    ] {
        let ask = Ask::of(client).with("redirect_uri", uri);
        let page = rig.authorize(&Browser::new(), &ask).await.expect(400);
        assert!(page.headers.get("location").is_none(), "{uri}");
        assert!(page.body.contains("<h1>") && !page.body.contains(uri), "{uri}: {}", page.body);
    }
    let ask = Ask::of("native").with("redirect_uri", "http://127.0.0.1:49152/callback");
    let back = rig.agree(&Browser::new(), &ask).await;
    assert!(back.as_str().starts_with("http://127.0.0.1:49152/callback?code="), "{back}");
    let ask = Ask::of("app").with("redirect_uri", "https://app.example.com/second?x=1");
    let back = rig.agree(&Browser::new(), &ask).await;
    assert!(back.as_str().starts_with("https://app.example.com/second?x=1&code="), "{back}");
}

#[tokio::test]
async fn row_02_a_bad_client_or_redirect_uri_is_told_to_the_person_and_never_redirected() {
    let rig = Rig::new().await;
    for ask in [
        Ask::of("nobody"),
        Ask::of("app").without("client_id"),
        Ask::of("app").and("client_id", "app"),
        Ask::of("app").with("redirect_uri", "https://evil.example/"),
        Ask::of("app").and("redirect_uri", CALLBACK),
        // Two are registered, so it has to say which.
        Ask::of("app").without("redirect_uri"),
    ] {
        let page = rig.authorize(&Browser::new(), &ask).await.expect(400);
        assert!(page.headers.get("location").is_none(), "{page:?}");
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    }
}

#[test]
fn row_03_http_redirect_uris_are_for_loopback_alone() {
    for bad in ["http://example.com/cb", "http://127.0.0.1.example.com/cb", "http://10.0.0.1/cb"] {
        let lines = format!(
            "[applications.bad]\nclient_id = \"bad\"\nclient_secret = \"{SECRET}\"\nredirect_uris = [\"{bad}\"]\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claviger.toml");
        let text = crate::harness::world::configuration(
            "http://127.0.0.1:1",
            "http://127.0.0.1:2",
            folder.path().to_str().unwrap(),
            None,
            &lines,
        );
        std::fs::write(&path, text).unwrap();
        let flags = claviger::config::Flags { config: Some(path), data_dir: None };
        let refused = claviger::config::load(&flags, std::iter::empty()).unwrap_err().to_string();
        assert!(refused.contains("http is for 127.0.0.1, [::1] and localhost alone"), "{refused}");
    }
}

#[tokio::test]
async fn row_04_a_challenge_that_is_sent_is_enforced_and_public_clients_need_one() {
    let rig = Rig::new().await;
    for client in ["spa", "native", "app"] {
        let ask = Ask::of(client).without("code_challenge").without("code_challenge_method");
        assert_eq!(rig.refused(&ask).await, "invalid_request", "{client}");
    }
    let (short, long) = ("a".repeat(42), "a".repeat(129));
    let code = rig.code(&Ask::of("spa")).await;
    for bad in ["", "wrong-verifier-wrong-verifier-wrong-verifier", &short, &long, "ä"] {
        let answer = rig.redeem_with("spa", &code, &[("code_verifier", bad)]).await.expect(400);
        assert_eq!(error(&answer), "invalid_grant", "{bad:?}");
    }
    rig.redeem("spa", &code).await.expect(200);
}

#[tokio::test]
async fn row_05_a_verifier_without_a_challenge_is_refused() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("lax")).await;
    let answer = rig.redeem_with("lax", &code, &[("code_verifier", VERIFIER)]).await.expect(400);
    assert_eq!(error(&answer), "invalid_grant");
    rig.redeem("lax", &code).await.expect(200);
}

#[tokio::test]
async fn row_06_plain_is_not_offered_and_s256_is_published() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("code_challenge_method", "plain");
    assert_eq!(rig.refused(&ask).await, "invalid_request");
    assert_eq!(rig.refused(&Ask::of("app").without("code_challenge_method")).await, "invalid_request");
    let metadata = rig.send(Method::GET, "/.well-known/oauth-authorization-server", &[]).await.expect(200);
    assert_eq!(metadata.json()["code_challenge_methods_supported"], json!(["S256"]));
}

#[tokio::test]
async fn row_07_a_challenge_that_comes_again_and_again_is_noticed() {
    let rig = Rig::new().await;
    for _ in 0..5 {
        rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(303);
    }
    assert!(!rig.was_audited("application.constant_challenge").await);
    rig.authorize(&Browser::new(), &Ask::of("app")).await.expect(303);
    let event = rig.world.audited("application.constant_challenge").await;
    assert_eq!(event["target"], "app");
}

on_both! {
    async fn row_08_a_code_works_once_and_its_second_use_ends_what_it_brought(rig: Rig) {
        let code = rig.code(&Ask::of("app")).await;
        let tokens = rig.redeem("app", &code).await.expect(200).json();
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        assert!(rig.is_active("app", access).await);
        let again = rig.redeem("app", &code).await.expect(400);
        assert_eq!(error(&again), "invalid_grant");
        assert!(!rig.is_active("app", access).await && !rig.is_active("app", refresh).await);
        rig.refresh("app", refresh).await.expect(400);
        assert_eq!(rig.world.audited("code.replayed").await["target"], "app");
    }

    async fn row_09_a_replay_that_fails_authentication_or_pkce_ends_nothing(rig: Rig) {
        let code = rig.code(&Ask::of("app")).await;
        let tokens = rig.redeem("app", &code).await.expect(200).json();
        let access = text(&tokens, "access_token");
        let bad = "bad-verifier-bad-verifier-bad-verifier-bad-verifier";
        rig.redeem_with("app", &code, &[("code_verifier", bad)]).await.expect(400);
        rig.redeem_with("app", &code, &[("client_secret", "wrong-secret-wrong-secret")]).await.expect(401);
        rig.redeem("other", &code).await.expect(400);
        rig.redeem_with("app", &code, &[("redirect_uri", "https://app.example.com/second?x=1")]).await.expect(400);
        assert!(rig.is_active("app", access).await);
        rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200);
    }
}

#[tokio::test]
async fn row_10_a_code_is_bound_to_its_client_and_redirect_uri_and_lives_for_minutes() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    assert_eq!(error(&rig.redeem("other", &code).await.expect(400)), "invalid_grant");
    let elsewhere = [("redirect_uri", "https://app.example.com/second?x=1")];
    assert_eq!(error(&rig.redeem_with("app", &code, &elsewhere).await.expect(400)), "invalid_grant");
    rig.world.pass(Duration::from_secs(299));
    rig.redeem("app", &code).await.expect(200);
    let code = rig.code(&Ask::of("app")).await;
    rig.world.pass(Duration::from_mins(5));
    assert_eq!(error(&rig.redeem("app", &code).await.expect(400)), "invalid_grant");
}

on_both! {
    async fn row_11_a_spent_refresh_token_ends_its_family_and_the_consent_stays(rig: Rig) {
        for client in ["spa", "app"] {
            let browser = Browser::new();
            let back = rig.agree(&browser, &Ask::of(client)).await;
            let code = parameter(&back, "code").unwrap();
            let first = rig.redeem(client, &code).await.expect(200).json();
            let spent = text(&first, "refresh_token");
            let second = rig.refresh(client, spent).await.expect(200).json();
            assert_ne!(text(&second, "refresh_token"), spent, "{client}: it rotates");
            rig.world.pass(Duration::from_secs(31));
            assert_eq!(error(&rig.refresh(client, spent).await.expect(400)), "invalid_grant");
            rig.refresh(client, text(&second, "refresh_token")).await.expect(400);
            for tokens in [&first, &second] {
                rig.userinfo(text(tokens, "access_token")).await.expect(401);
            }
            assert_eq!(rig.world.audited("refresh_token.reused").await["target"], client);
            // The person is not asked again: the browser goes back at once.
            let back = rig.authorize(&browser, &Ask::of(client)).await.expect(303).location();
            assert!(parameter(&back, "code").is_some(), "{client}: {back}");
        }
        let metrics = rig.world.api("/metrics").await.expect(200).body;
        for counted in ["outcome=\"rotated\"} 2", "outcome=\"reused\"} 2"] {
            assert!(metrics.contains(&format!("claviger_grant_refreshes_total{{{counted}")), "{metrics}");
        }
    }
}

#[tokio::test]
async fn row_12_a_refresh_token_is_bound_to_client_scope_and_resource() {
    let rig = Rig::new().await;
    let ask = Ask::of("app").with("resource", RESOURCE);
    let code = rig.code(&ask).await;
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let token = text(&tokens, "refresh_token");
    assert_eq!(error(&rig.refresh("other", token).await.expect(400)), "invalid_grant");
    let wider = [("scope", "reports.read reports.write")];
    assert_eq!(error(&rig.refresh_with("app", token, &wider).await.expect(400)), "invalid_scope");
    let elsewhere = [("resource", OTHER_RESOURCE)];
    assert_eq!(error(&rig.refresh_with("app", token, &elsewhere).await.expect(400)), "invalid_target");
    // None of that has spent it.
    rig.refresh("app", token).await.expect(200);
}

#[tokio::test]
async fn row_13_a_refresh_token_ends_when_it_is_not_used_and_in_the_end_however_much_it_is() {
    let rig = Rig::new().await;
    let day = Duration::from_hours(24);
    let idle = text(&rig.tokens("app").await, "refresh_token").to_owned();
    rig.world.pass(day * 90);
    rig.refresh("app", &idle).await.expect(400);
    let mut token = text(&rig.tokens("app").await, "refresh_token").to_owned();
    for _ in 0..4 {
        rig.world.pass(day * 80);
        token = text(&rig.refresh("app", &token).await.expect(200).json(), "refresh_token").to_owned();
    }
    rig.world.pass(day * 45);
    rig.refresh("app", &token).await.expect(400);
}

on_both! {
    async fn row_14_a_new_password_and_signing_out_everywhere_end_every_family(rig: Rig) {
        let grant = rig.world.server.app.grant.clone();
        let user = grant.user_of_email(super::rig::EMAIL).await.unwrap().id;
        let first = rig.tokens("app").await;
        grant.sign_out_everywhere(&user, model::Actor::Operator).await.unwrap();
        rig.refresh("app", text(&first, "refresh_token")).await.expect(400);
        rig.userinfo(text(&first, "access_token")).await.expect(401);
        let second = rig.tokens("app").await;
        let password = model::Secret::from(super::rig::PASSWORD);
        grant.set_password(&user, &password, model::Actor::Operator).await.unwrap();
        rig.refresh("app", text(&second, "refresh_token")).await.expect(400);
        rig.userinfo(text(&second, "access_token")).await.expect(401);
    }
}

#[tokio::test]
async fn row_15_there_is_no_password_grant() {
    let rig = Rig::new().await;
    let fields =
        [&[("grant_type", "password"), ("username", "anna"), ("password", "x")], &proof("app")[..]].concat();
    assert_eq!(error(&rig.post("/oauth/token", &fields).await.expect(400)), "unsupported_grant_type");
}

#[tokio::test]
async fn row_16_there_is_no_implicit_grant() {
    let rig = Rig::new().await;
    for kind in ["token", "id_token", "code token", "code id_token"] {
        let ask = Ask::of("app").with("response_type", kind);
        assert_eq!(rig.refused(&ask).await, "unsupported_response_type", "{kind}");
    }
}

#[tokio::test]
async fn row_17_a_token_is_good_at_its_audience_alone() {
    let rig = Rig::new().await;
    let tokens = rig.tokens_for("app", &Ask::of("app").with("resource", RESOURCE)).await;
    let token = text(&tokens, "access_token");
    assert_eq!(rig.introspect("app", token).await["aud"], RESOURCE);
    // `api` serves RESOURCE.
    assert!(rig.is_active("api", token).await);
    let elsewhere = rig.tokens_for("app", &Ask::of("app").with("resource", OTHER_RESOURCE)).await;
    assert!(!rig.is_active("api", text(&elsewhere, "access_token")).await);
    rig.userinfo(token).await.expect(401);
}

#[tokio::test]
async fn row_19_an_application_can_sign_for_itself_instead_of_sharing_a_secret() {
    let rig = Rig::new().await;
    let key = rfc7523::key(vault::SigningAlgorithm::EdDsa);
    rfc7523::register(&rig, "signer", key.public_jwk()).await;
    let metadata = rig.metadata().await;
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&"private_key_jwt".into()), "{methods:?}");
    let claims = rfc7523::claims(&rig);
    assert_eq!(claims["aud"], rig.world.url, "the issuer is the audience");
    let assertion = key.sign("JWT", &claims);
    rfc7523::ask(&rig, &assertion).await.expect(200);
    let again = rfc7523::ask(&rig, &assertion).await.expect(401);
    assert_eq!(error(&again), "invalid_client", "its jti was used");
    let mut other = rfc7523::claims(&rig);
    other["aud"] = "https://elsewhere.example".into();
    rfc7523::ask(&rig, &key.sign("JWT", &other)).await.expect(401);
}

#[tokio::test]
async fn row_19_the_keys_of_an_application_can_stand_in_the_configuration() {
    let key = rfc7523::key(vault::SigningAlgorithm::Es256);
    let jwk = key.public_jwk();
    let of = |name: &str| jwk[name].as_str().unwrap().to_owned();
    let rig = Rig::with_more(&format!(
        "[applications.signer]\nclient_id = \"signer\"\ngrant_types = [\"client_credentials\"]\n\
         jwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", kid = \"{}\", x = \"{}\", y = \"{}\" }}] }}\n",
        of("kid"),
        of("x"),
        of("y"),
    ))
    .await;
    rfc7523::ask(&rig, &key.sign("JWT", &rfc7523::claims(&rig))).await.expect(200);
    let private = "{ keys = [{ kty = \"EC\", crv = \"P-256\", x = \"AA\", y = \"AA\", d = \"AA\" }] }";
    for (keys, more, setting) in [
        ("{ keys = [] }", "public = true", "applications.signer.jwks"),
        ("{ keys = [] }", "", "applications.signer.jwks"),
        (private, "", "applications.signer.jwks"),
    ] {
        let lines = format!(
            "[applications.signer]\nclient_id = \"signer\"\nredirect_uris = [\"{CALLBACK}\"]\njwks = {keys}\n{more}\n"
        );
        let said = crate::harness::world::refused(&lines);
        assert!(said.contains(setting), "{keys} {more}: {said}");
    }
    let both = format!(
        "[applications.signer]\nclient_id = \"signer\"\nredirect_uris = [\"{CALLBACK}\"]\nclient_secret = \"{SECRET}\"\n\
         jwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", x = \"{}\", y = \"{}\" }}] }}\n",
        of("x"),
        of("y"),
    );
    let said = crate::harness::world::refused(&both);
    assert!(said.contains("applications.signer.client_secret"), "{said}");
}

#[tokio::test]
async fn row_20_a_secret_is_taken_from_body_or_header_never_from_both_or_the_address() {
    let rig = Rig::new().await;
    let grant = ("grant_type", "authorization_code");
    let code = rig.code(&Ask::of("app")).await;
    let fields = [grant, ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let header = basic("app", SECRET);
    let both = [&fields[..], &proof("app")].concat();
    let mixed = rig.post_with("/oauth/token", &[("authorization", &header)], &both).await.expect(400);
    assert_eq!(error(&mixed), "invalid_request");
    for query in [
        format!("client_id=app&client_secret={SECRET}"),
        format!("grant_type=authorization_code&code={code}&client_id=app&client_secret={SECRET}"),
        format!("code={code}"),
    ] {
        let answer = rig.post(&format!("/oauth/token?{query}"), &both).await.expect(400);
        assert_eq!(error(&answer), "invalid_request", "{query}");
    }
    // The code is not spent by any of that.
    rig.post_with("/oauth/token", &[("authorization", &header)], &fields).await.expect(200);
    let code = rig.code(&Ask::of("app")).await;
    rig.redeem("app", &code).await.expect(200);
}

on_both! {
    async fn row_21_guesses_of_a_secret_are_limited(rig: Rig) {
        let guess = [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "a wrong guess")];
        for _ in 0..10 {
            assert_eq!(error(&rig.post("/oauth/token", &guess).await.expect(401)), "invalid_client");
        }
        let limited = rig.post("/oauth/token", &guess).await.expect(429);
        let after: u64 = limited.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&after), "{after}");
        // Whoever knows it is not locked out, though somebody guesses from the same address, and their own use does not count.
        let mut tokens = rig.tokens("app").await;
        for _ in 0..15 {
            tokens = rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200).json();
        }
        rig.post("/oauth/token", &guess).await.expect(429);
        rig.world.pass(Duration::from_secs(61));
        rig.post("/oauth/token", &guess).await.expect(401);
    }
}

#[tokio::test]
async fn row_22_the_metadata_says_what_there_is() {
    let rig = Rig::new().await;
    let metadata =
        rig.send(Method::GET, "/.well-known/oauth-authorization-server", &[]).await.expect(200).json();
    assert_eq!(metadata["issuer"], rig.world.url);
    for (name, value) in metadata.as_object().unwrap() {
        let Some(address) = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri")
        else {
            continue;
        };
        assert!(address.starts_with(&rig.world.url), "{name}: {address}");
        let path = address.strip_prefix(&rig.world.url).unwrap();
        let answer = rig.send(Method::GET, path, &[("accept", "application/json")]).await;
        assert_ne!(answer.status, 404, "{name}");
    }
    for promise in ["device", "dpop", "token-exchange", "registration_endpoint", "end_session"] {
        assert!(!metadata.to_string().contains(promise), "{promise}");
    }
}

#[tokio::test]
async fn row_23_scripts_may_call_what_programs_call_and_not_the_authorization_endpoint() {
    let rig = Rig::open("").await;
    let script = [("origin", "https://spa.example"), ("access-control-request-method", "POST")];
    for path in [
        "/oauth/token",
        "/oauth/revoke",
        "/oauth/userinfo",
        "/oauth/jwks",
        "/oauth/register",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
    ] {
        let preflight = rig.send(Method::OPTIONS, path, &script).await.expect(204);
        assert_eq!(preflight.header("access-control-allow-origin"), "*", "{path}");
        assert!(preflight.header("access-control-allow-credentials").is_empty(), "{path}");
    }
    for path in ["/oauth/authorize", "/oauth/access"] {
        let preflight = rig.send(Method::OPTIONS, path, &script).await;
        assert!(preflight.header("access-control-allow-origin").is_empty(), "{path}");
        assert_eq!(preflight.status, 405, "{path}");
    }
    // An application that has registered origins is used from these alone.
    let fields = [&[("grant_type", "refresh_token"), ("refresh_token", "x")], &proof(ZAPIER_ID)[..]].concat();
    let from = |origin| [("origin", origin)];
    let own = rig.post_with("/oauth/token", &from("https://zapier.com"), &fields).await;
    assert_eq!(error(&own.expect(400)), "invalid_grant");
    let foreign = rig.post_with("/oauth/token", &from("https://evil.example"), &fields).await;
    assert_eq!(error(&foreign.expect(400)), "unauthorized_client");
}

#[tokio::test]
async fn row_24_nothing_that_a_request_brings_decides_where_the_browser_goes() {
    let rig = Rig::new().await;
    for evil in [
        "//evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%5cevil.example",
    ] {
        for name in ["returnTo", "return_to", "next", "redirect_uri", "continue", "login_hint", "ui_locales"]
        {
            let ask = Ask::of("app").with(name, evil);
            let answer = rig.authorize(&Browser::new(), &ask).await;
            if let Some(location) = answer.headers.get("location") {
                let location = location.to_str().unwrap();
                assert!(location.starts_with("/oauth/authorize/aut_"), "{name}={evil}: {location}");
            }
        }
    }
    let browser = Browser::new();
    let page = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await, "csrf");
    let fields = [
        ("csrf", &*csrf),
        ("email", super::rig::EMAIL),
        ("password", super::rig::PASSWORD),
        ("returnTo", "https://evil.example"),
    ];
    let back = browser.bare_form(&page, &fields).await.expect(303).location();
    assert_eq!(back, page);
}

#[tokio::test]
async fn row_25_a_form_is_answered_with_303() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    // Every answer to a form on this way is checked to be 303.
    rig.agree(&browser, &Ask::of("app")).await;
    let page =
        rig.authorize(&browser, &Ask::of("app").with("prompt", "consent")).await.expect(303).location();
    let csrf = hidden(&browser.get(&page).await, "csrf");
    browser.bare_form(&page, &[("csrf", &csrf), ("decision", "cancel")]).await.expect(303);
}

/// The pages of the authorization server: sign-in, consent, an error, and what applications may do.
async fn pages(rig: &Rig) -> [Answer; 4] {
    let browser = Browser::new();
    let sign_in = rig.authorize(&browser, &Ask::of("app")).await.expect(303).location();
    let login = browser.get(&sign_in).await.expect(200);
    let csrf = hidden(&login, "csrf");
    let fields = [("csrf", &*csrf), ("email", super::rig::EMAIL), ("password", super::rig::PASSWORD)];
    let consent =
        browser.get(browser.bare_form(&sign_in, &fields).await.expect(303).location()).await.expect(200);
    let refused = rig.authorize(&browser, &Ask::of("nobody")).await.expect(400);
    let access = browser.get(rig.path("/oauth/access")).await.expect(200);
    [login, consent, refused, access]
}

#[tokio::test]
async fn row_26_pages_can_t_be_framed() {
    for page in pages(&Rig::new().await).await {
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "DENY");
    }
}

#[tokio::test]
async fn row_27_pages_load_nothing_of_others_and_tell_nobody_where_somebody_was() {
    for page in pages(&Rig::new().await).await {
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        assert_eq!(page.header("cache-control"), "no-store");
        for attribute in ["src=\"http", "href=\"http", "src=\"//", "url(http"] {
            assert!(!page.body.contains(attribute), "{attribute} in {}", page.body);
        }
    }
}

#[tokio::test]
async fn row_28_forwarding_headers_are_believed_from_listed_proxies_alone() {
    let guess =
        [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "a wrong guess")];
    let try_as = async |rig: &Rig, address: &str| {
        let headers = [("x-forwarded-for", address)];
        rig.post_with("/oauth/token", &headers, &guess).await.status.as_u16()
    };
    let rig = Rig::new().await;
    for n in 0..10 {
        assert_eq!(try_as(&rig, &format!("203.0.113.{n}")).await, 401);
    }
    assert_eq!(try_as(&rig, "203.0.113.99").await, 429, "made-up addresses are one address");
    let behind = Rig::with("trusted_proxies = [\"127.0.0.1\"]\n").await;
    for n in 0..11 {
        assert_eq!(try_as(&behind, &format!("203.0.113.{n}")).await, 401);
    }
}

#[tokio::test]
async fn row_29_no_application_can_look_like_a_user() {
    let rig = Rig::new().await;
    let grant = &rig.world.server.app.grant;
    let new = |id: &str| grant::application::NewApplication {
        client_id: Some(id.parse().unwrap()),
        secret: None,
        settings: grant::application::plain("X", vec![CALLBACK.parse().unwrap()]),
    };
    for id in ["usr_0123456789abcdef0123456789abcdef", "usr_x", "https://app.example.com/client.json"] {
        assert!(grant.register(new(id), model::Actor::Operator).await.is_err(), "{id}");
    }
    let open = Rig::open("").await;
    let said = json!({"client_id": "usr_0123456789abcdef0123456789abcdef", "redirect_uris": [CALLBACK]});
    let registered = open.registers(&said).await.expect(201).json();
    assert!(text(&registered, "client_id").starts_with("app_"), "it chooses none");
    let lines = "[applications.robot]\nclient_id = \"robot\"\nclient_secret = \"app-secret-0123456789abcdef\"\n\
                 redirect_uris = []\ngrant_types = [\"client_credentials\"]\n";
    let rig = Rig::with_more(lines).await;
    let fields = [&[("grant_type", "client_credentials")], &proof("robot")[..]].concat();
    let tokens = rig.post("/oauth/token", &fields).await.expect(200).json();
    let sub = rig.introspect("robot", text(&tokens, "access_token")).await["sub"].clone();
    assert_eq!(sub, "robot");
}

#[tokio::test]
async fn row_30_every_answer_says_who_gives_it() {
    let rig = Rig::new().await;
    let back = rig.agree(&Browser::new(), &Ask::of("app")).await;
    assert_eq!(parameter(&back, "iss").as_deref(), Some(&*rig.world.url));
    let refused = rig.told(&Ask::of("app").with("scope", "unknown")).await;
    assert_eq!(parameter(&refused, "iss").as_deref(), Some(&*rig.world.url));
}

#[tokio::test]
async fn row_31_answers_are_not_kept_errors_have_their_code_and_parameters_come_once() {
    let rig = Rig::new().await;
    let code = rig.code(&Ask::of("app")).await;
    let good = rig.redeem("app", &code).await.expect(200);
    assert_eq!((good.header("cache-control"), good.header("pragma")), ("no-store", "no-cache"));
    let twice = [&[("grant_type", "refresh_token"); 2], &proof("app")[..]].concat();
    let refused = rig.post("/oauth/token", &twice).await.expect(400);
    assert_eq!(error(&refused), "invalid_request");
    assert_eq!(refused.header("cache-control"), "no-store");
    // What nobody knows is passed over, and `resource` may come several times.
    let code = rig.code(&Ask::of("app").and("resource", RESOURCE).and("resource", OTHER_RESOURCE)).await;
    let more = [("unknown", "x"), ("resource", RESOURCE), ("resource", OTHER_RESOURCE)];
    rig.redeem_with("app", &code, &more).await.expect(200);
}

#[tokio::test]
async fn row_32_an_unknown_token_is_as_good_as_revoked_and_a_refresh_token_takes_its_family_along() {
    let rig = Rig::new().await;
    let tokens = rig.tokens("app").await;
    let revoke = async |token: &str| {
        let fields = [&[("token", token)], &proof("app")[..]].concat();
        rig.post("/oauth/revoke", &fields).await
    };
    revoke("cat_unknown").await.expect(200);
    revoke(text(&tokens, "refresh_token")).await.expect(200);
    assert!(!rig.is_active("app", text(&tokens, "access_token")).await);
    rig.refresh("app", text(&tokens, "refresh_token")).await.expect(400);
}

#[tokio::test]
async fn row_33_what_is_not_live_is_exactly_inactive() {
    let rig = Rig::new().await;
    let fields = [("token", "x"), ("client_id", "spa")];
    assert_eq!(error(&rig.post("/oauth/introspect", &fields).await.expect(401)), "invalid_client");
    let inactive = json!({"active": false});
    assert_eq!(rig.introspect("app", "cat_unknown").await, inactive);
    let tokens = rig.tokens("app").await;
    let token = text(&tokens, "access_token");
    assert_eq!(rig.introspect("other", token).await, inactive, "another application's");
    rig.world.pass(Duration::from_hours(1));
    assert_eq!(rig.introspect("app", token).await, inactive, "expired");
    let tokens = rig.tokens("app").await;
    let token = text(&tokens, "access_token");
    rig.post("/oauth/revoke", &[&[("token", token)], &proof("app")[..]].concat()).await.expect(200);
    assert_eq!(rig.introspect("app", token).await, inactive, "revoked");
}

#[tokio::test]
async fn row_34_no_live_secret_lies_in_the_store() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    let pending = rig.authorize(&browser, &Ask::of("app")).await.expect(303);
    let back = rig.agree(&browser, &Ask::of("app")).await;
    let code = parameter(&back, "code").unwrap();
    let unused = rig.code(&Ask::of("app")).await;
    let tokens = rig.redeem("app", &code).await.expect(200).json();
    let next = rig.refresh("app", text(&tokens, "refresh_token")).await.expect(200).json();
    let mut secrets = vec![SECRET.to_owned(), super::rig::PASSWORD.to_owned(), unused, code];
    for set in [&tokens, &next] {
        secrets.extend(["access_token", "refresh_token"].map(|name| text(set, name).to_owned()));
    }
    secrets.extend(browser.cookies_of(&rig.world.url).into_values());
    drop(pending);
    for file in std::fs::read_dir(rig.world.data()).unwrap().map(|entry| entry.unwrap().path()) {
        if !file.file_name().unwrap().to_string_lossy().starts_with("claviger.db") {
            continue;
        }
        let octets = std::fs::read(&file).unwrap();
        for secret in &secrets {
            // A token's last 64 digits are its secret.
            let tail = &secret.as_bytes()[secret.len().saturating_sub(64)..];
            let found = octets.windows(tail.len()).any(|window| window == tail);
            assert!(!found, "{secret} lies in {}", file.display());
        }
    }
}

#[tokio::test]
async fn row_35_forms_of_others_are_refused() {
    let rig = Rig::new().await;
    let (own, foreign) = (Browser::new(), Browser::new());
    let page = rig.authorize(&own, &Ask::of("app")).await.expect(303).location();
    let csrf = hidden(&own.get(&page).await, "csrf");
    let sign_in = |csrf: &str| {
        [
            ("csrf", csrf.to_owned()),
            ("email", super::rig::EMAIL.to_owned()),
            ("password", super::rig::PASSWORD.to_owned()),
        ]
    };
    let send = async |browser: &Browser, url: &url::Url, fields: &[(&str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.bare_form(url, &fields).await
    };
    assert!(send(&own, &page, &sign_in("")).await.expect(403).body.contains("foreign_form"));
    // Another page's token is none here.
    let second = rig.authorize(&own, &Ask::of("app")).await.expect(303).location();
    let other = hidden(&own.get(&second).await, "csrf");
    send(&own, &page, &sign_in(&other)).await.expect(403);
    // Another browser has neither page nor form.
    foreign.get(&page).await.expect(400);
    send(&foreign, &page, &sign_in(&csrf)).await.expect(400);
    // It is used up by the decision.
    send(&own, &page, &sign_in(&csrf)).await.expect(303);
    let csrf = hidden(&own.get(&page).await.expect(200), "csrf");
    let decide = |decision: &str| [("csrf", csrf.clone()), ("decision", decision.to_owned())];
    send(&own, &page, &decide("authorize")).await.expect(303);
    send(&own, &page, &decide("authorize")).await.expect(400);
}

#[tokio::test]
async fn row_36_who_may_be_anybody_is_asked_about_every_time() {
    let rig = Rig::new().await;
    let browser = Browser::new();
    rig.agree(&browser, &Ask::of("native")).await;
    let again = rig.authorize(&browser, &Ask::of("native")).await.expect(303).location();
    let page = browser.get(&again).await.expect(200);
    assert!(page.body.contains("value=\"authorize\""), "{}", page.body);
    // One that its https address tells apart is known again.
    rig.agree(&browser, &Ask::of("spa")).await;
    let back = rig.authorize(&browser, &Ask::of("spa")).await.expect(303).location();
    assert!(parameter(&back, "code").is_some(), "{back}");
}
