//! A grant that is given back, over real HTTP: what is sent by which recipe, and what each answer means.

use std::time::Duration;

use claviger_provider::catalog::Entry;
use claviger_provider::exchange::App;
use claviger_provider::revoke::{Revoke, RevokeError, Revoked, is_possible, revoke};
use model::{AccessToken, ClientSecret, RefreshToken};

use crate::provider::{Provider, Rudeness, client, entry_with, rude};

const FORM: &str = r#"method = "POST", authentication = "basic", body = "form""#;

fn app() -> App {
    App { client_id: "my app".to_owned(), client_secret: Some(ClientSecret::from("s3cr+t/:&")) }
}

/// An entry with this recipe.
fn with(call: &str, takes: &str, more: &str) -> Entry {
    entry_with(
        ", revoke = \"https://acme.example/revoke\"",
        &format!(
            "client_authentication = \"post\"\naccess_header = \"X-Token: {{token}}\"\n\
             revocation = {{ call = {{ {call} }}, takes = \"{takes}\", ends = \"grant\"{more} }}"
        ),
    )
}

type Tokens = (Option<AccessToken>, Option<RefreshToken>);

fn both() -> Tokens {
    (Some(AccessToken::from("access-1")), Some(RefreshToken::from("refresh&1")))
}

async fn give_back(entry: &Entry, url: &str, app: &App, tokens: &Tokens) -> Result<Revoked, RevokeError> {
    let request = Revoke {
        entry,
        url,
        app,
        access_token: tokens.0.as_ref(),
        refresh_token: tokens.1.as_ref(),
        timeout: Duration::from_millis(300),
    };
    revoke(&client(), request).await
}

#[tokio::test]
async fn each_recipe_sends_what_it_says() {
    let public = App { client_secret: None, ..app() };
    let authorization = format!("Basic {}", data_encoding::BASE64.encode(b"my+app:s3cr%2Bt%2F%3A%26"));
    let basic = Some(("authorization", authorization.as_str()));
    // The recipe, the token that it takes, the app; the method, path, header and body that come.
    let cases = [
        (FORM, "refresh_token", app(), "POST", "/r?x=1", basic, "token=refresh%261"),
        (FORM, "access_token", app(), "POST", "/r?x=1", basic, "token=access-1"),
        (FORM, "access_token", public.clone(), "POST", "/r?x=1", None, "client_id=my+app&token=access-1"),
        (
            r#"method = "DELETE", authentication = "basic", body = "json", parameter = "access_token""#,
            "access_token",
            app(),
            "DELETE",
            "/r?x=1",
            basic,
            r#"{"access_token":"access-1"}"#,
        ),
        (
            r#"method = "POST", authentication = "post", body = "form""#,
            "refresh_token",
            app(),
            "POST",
            "/r?x=1",
            None,
            "client_id=my+app&client_secret=s3cr%2Bt%2F%3A%26&token=refresh%261",
        ),
        (
            r#"method = "POST", authentication = "none", body = "query""#,
            "refresh_token",
            app(),
            "POST",
            "/r?x=1&token=refresh%261",
            None,
            "",
        ),
        (
            r#"method = "GET", authentication = "access_token", body = "nowhere""#,
            "access_token",
            app(),
            "GET",
            "/r?x=1",
            Some(("x-token", "access-1")),
            "",
        ),
    ];
    for (call, takes, app, method, path, header, body) in cases {
        let provider = Provider::answering(200, &[], "").await;
        let done = give_back(&with(call, takes, ""), &provider.url("/r?x=1"), &app, &both()).await;
        assert_eq!(done.unwrap(), Revoked::Done, "{call}");
        let came = provider.last();
        assert_eq!(
            (came.method.as_str(), came.path.as_str(), came.body.as_str()),
            (method, path, body),
            "{call}"
        );
        let content_type = came.headers.get("content-type").map(|value| value.to_str().unwrap());
        let expected = match body.chars().next() {
            None => None,
            Some('{') => Some("application/json"),
            Some(_) => Some("application/x-www-form-urlencoded"),
        };
        assert_eq!(content_type, expected, "{call}");
        assert_eq!(came.headers.contains_key("authorization"), header == basic && basic.is_some(), "{call}");
        if let Some((name, value)) = header {
            assert_eq!(came.headers[name], value, "{call}");
        }
        assert_eq!(provider.received().len(), 1, "{call}");
    }
}

#[tokio::test]
async fn where_the_token_that_it_takes_is_missing_the_other_one_is_tried() {
    let provider = Provider::answering(200, &[], "").await;
    let url = provider.url("/r");
    for (takes, tokens, sent) in [
        ("refresh_token", (both().0, None), "token=access-1"),
        ("access_token", (None, both().1), "token=refresh%261"),
    ] {
        give_back(&with(FORM, takes, ""), &url, &app(), &tokens).await.unwrap();
        assert_eq!(provider.last().body, sent);
    }
    let none = give_back(&with(FORM, "access_token", ""), &url, &app(), &(None, None)).await.unwrap_err();
    assert_eq!((none.word().as_str(), provider.received().len()), ("no_token", 2));
    let header = r#"method = "POST", authentication = "access_token", body = "nowhere""#;
    let entry = with(header, "access_token", "");
    let unusable = give_back(&entry, &url, &app(), &(None, both().1)).await.unwrap_err();
    assert_eq!(unusable.word(), "unusable_token");
    let recipe = entry.revocation.as_ref().unwrap();
    assert!(is_possible(recipe, true, false) && !is_possible(recipe, false, true));
    let form = with(FORM, "access_token", "");
    let recipe = form.revocation.as_ref().unwrap();
    assert!(is_possible(recipe, false, true) && !is_possible(recipe, false, false));
}

#[tokio::test]
async fn an_answer_means_done_already_gone_or_try_again() {
    let error = |code: &str| format!(r#"{{"ok":false,"error":"{code}"}}"#);
    let success = r#", success = { member = "ok", equals = true }, gone_errors = ["token_revoked"]"#;
    // The status, the body, whether the entry asks for a sign of success; what it means.
    let cases: [(u16, String, bool, Result<Revoked, &str>); 18] = [
        (200, String::new(), false, Ok(Revoked::Done)),
        (204, String::new(), false, Ok(Revoked::Done)),
        (200, "<html>".to_owned(), false, Ok(Revoked::Done)),
        (200, r#"{"ok":true}"#.to_owned(), true, Ok(Revoked::Done)),
        (200, error("token_revoked"), true, Ok(Revoked::AlreadyGone)),
        (401, error("token_revoked"), true, Ok(Revoked::AlreadyGone)),
        (404, String::new(), false, Ok(Revoked::AlreadyGone)),
        (410, String::new(), false, Ok(Revoked::AlreadyGone)),
        (400, error("invalid_token"), false, Ok(Revoked::AlreadyGone)),
        (400, error("invalid_grant"), false, Ok(Revoked::AlreadyGone)),
        (200, "<html>".to_owned(), true, Err("http_200")),
        (200, error("fatal_error"), true, Err("fatal_error")),
        (400, error("invalid_client"), false, Err("invalid_client")),
        (401, error("invalid_grant"), false, Err("invalid_grant")),
        (302, String::new(), false, Err("http_302")),
        (403, String::new(), false, Err("http_403")),
        (429, String::new(), false, Err("http_429")),
        (500, "<h1>".to_owned(), false, Err("http_500")),
    ];
    for (status, body, asks, meaning) in cases {
        let elsewhere = [("location", "http://127.0.0.1:1/"), ("retry-after", "7")];
        let provider = Provider::answering(status, &elsewhere, body.clone()).await;
        let entry = with(FORM, "refresh_token", if asks { success } else { "" });
        let answer = give_back(&entry, &provider.url("/r"), &app(), &both()).await;
        match (answer, meaning) {
            (Ok(revoked), Ok(expected)) => assert_eq!(revoked, expected, "{status} {body}"),
            (Err(error), Err(word)) => {
                assert_eq!((error.status, error.word().as_str()), (Some(status), word), "{body}");
                assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
            }
            (answer, _) => panic!("{status} {body}: {answer:?}"),
        }
        assert_eq!(provider.received().len(), 1, "no redirect is followed, nothing is sent twice");
    }
}

#[tokio::test]
async fn a_provider_that_keeps_not_to_http_is_an_error_in_time() {
    let entry = with(FORM, "refresh_token", "");
    for rudeness in [
        Rudeness::ClosesAtOnce,
        Rudeness::ClosesAfterReading,
        Rudeness::Hangs,
        Rudeness::Trickles,
        Rudeness::SpeaksOtherwise,
        Rudeness::EndlessBody,
    ] {
        let origin = rude(rudeness).await;
        let error = give_back(&entry, &origin, &app(), &both()).await.unwrap_err();
        assert_eq!((error.status, error.word().as_str()), (None, "no_answer"), "{rudeness:?}");
        assert!(error.transport.is_some());
    }
    let forbidden = give_back(&entry, "http://10.0.0.1/r", &app(), &both()).await.unwrap_err();
    assert_eq!(forbidden.word(), "no_answer");
}

#[tokio::test]
async fn neither_errors_nor_debug_show_a_secret() {
    let secrets = ["access-1", "refresh&1", "s3cr+t/:&"];
    let entry = with(FORM, "refresh_token", "");
    for secret in secrets {
        let body = serde_json::json!({ "error": format!("no {secret}\u{7} here") }).to_string();
        let provider = Provider::answering(500, &[], body).await;
        let error = give_back(&entry, &provider.url("/r"), &app(), &both()).await.unwrap_err();
        assert_eq!(error.word(), "no [secret] here");
        let shown = format!("{error} {error:?}");
        assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
    }
    let (access, refresh) = both();
    let request = Revoke {
        entry: &entry,
        url: "https://acme.example/revoke",
        app: &app(),
        access_token: access.as_ref(),
        refresh_token: refresh.as_ref(),
        timeout: Duration::ZERO,
    };
    let shown = format!("{request:?}");
    assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
}
