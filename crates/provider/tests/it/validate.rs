//! Whether a token works, over real HTTP.

use std::time::Duration;

use claviger_provider::catalog::Entry;
use claviger_provider::format::file;
use claviger_provider::validate::{Validity, validate};
use model::AccessToken;

use crate::provider::{Provider, Rudeness, client, entry_with, rude};

fn with(validation: &str) -> Entry {
    entry_with(
        ", validate = \"https://acme.example/me\"",
        &format!("client_authentication = \"post\"\nvalidation = {{ {validation} }}"),
    )
}

async fn ask(entry: &Entry, url: &str, token: &str) -> Validity {
    validate(&client(), entry, url, &AccessToken::from(token), Duration::from_millis(300)).await
}

#[tokio::test]
async fn the_token_is_shown_as_the_api_wants_it() {
    for (recipe, method, body) in [
        ("method = \"GET\"", "GET", ""),
        ("method = \"POST\"", "POST", ""),
        (r#"method = "POST", body = '{"query":"{me{id}}"}'"#, "POST", r#"{"query":"{me{id}}"}"#),
    ] {
        let provider = Provider::answering(200, &[], "").await;
        let answer = ask(&with(recipe), &provider.url("/me"), "at").await;
        assert_eq!(answer, Validity::Works { status: 200 }, "{recipe}");
        let came = provider.last();
        assert_eq!((came.method.as_str(), came.body.as_str()), (method, body));
        assert_eq!(came.headers["authorization"], "Bearer at");
        let json = came.headers.get("content-type").is_some_and(|value| value == "application/json");
        assert_eq!(json, !body.is_empty());
    }
}

#[tokio::test]
async fn only_a_clear_answer_says_yes_or_no() {
    let plain = "method = \"GET\"";
    let careful =
        r#"method = "GET", success = { member = "ok", equals = true }, refused_errors = ["token_expired"]"#;
    let unknown = |status, reason| Validity::Unknown { status: Some(status), reason };
    for (recipe, status, body, meaning) in [
        (plain, 200, "", Validity::Works { status: 200 }),
        (plain, 204, "", Validity::Works { status: 204 }),
        (careful, 200, r#"{"ok":true}"#, Validity::Works { status: 200 }),
        (plain, 401, "", Validity::Refused { status: 401 }),
        (careful, 200, r#"{"ok":false,"error":"token_expired"}"#, Validity::Refused { status: 200 }),
        (careful, 403, r#"{"ok":false,"error":"token_expired"}"#, Validity::Refused { status: 403 }),
        (careful, 200, r#"{"ok":false,"error":"fatal_error"}"#, unknown(200, "no_sign_of_success")),
        (careful, 200, "<html>", unknown(200, "no_sign_of_success")),
        (plain, 403, r#"{"error":"token_expired"}"#, unknown(403, "other_status")),
        (plain, 302, "", unknown(302, "other_status")),
        (plain, 429, "", unknown(429, "other_status")),
        (plain, 500, "", unknown(500, "other_status")),
    ] {
        let provider = Provider::answering(status, &[("location", "/elsewhere")], body).await;
        assert_eq!(ask(&with(recipe), &provider.url("/me"), "at").await, meaning, "{status} {body}");
        assert_eq!(provider.received().len(), 1);
    }
}

#[tokio::test]
async fn without_an_answer_nobody_knows() {
    let entry = with("method = \"GET\"");
    let no_answer = Validity::Unknown { status: None, reason: "no_answer" };
    for rudeness in [Rudeness::ClosesAfterReading, Rudeness::Hangs, Rudeness::EndlessBody] {
        assert_eq!(ask(&entry, &rude(rudeness).await, "at").await, no_answer, "{rudeness:?}");
    }
    let injection = ask(&entry, "http://127.0.0.1:1/me", "a\r\nX-Evil: 1").await;
    assert_eq!(injection, Validity::Unknown { status: None, reason: "unusable_token" });
}

#[test]
fn a_request_that_makes_no_sense_is_refused_when_the_file_is_read() {
    let text = |validation: &str| {
        format!(
            "[[provider]]\nid = \"acme\"\ndisplay_name = \"Acme\"\nlogo = \"AC\"\ncategory = \"test\"\n\
             documentation = \"https://acme.example/docs\"\nflow = \"api_key\"\nclient_authentication = \"none\"\n\
             endpoints = {{ validate = \"https://acme.example/me\" }}\nvalidation = {{ {validation} }}\n"
        )
    };
    let fault = |validation: &str| file::parse("acme.toml", &text(validation)).unwrap_err().key;
    assert!(file::parse("acme.toml", &text(r#"method = "POST", body = "null""#)).is_ok());
    assert!(fault("method = \"DELETE\"").contains("validation.method"));
    assert!(fault(r#"method = "GET", body = "null""#).contains("validation.body"));
    assert!(fault(r#"method = "POST", body = "{""#).contains("validation.body"));
    assert!(fault(r#"method = "GET", refused_errors = ["a", ""]"#).contains("validation.refused_errors.1"));
}
