//! Codes and refresh tokens over real HTTP: what is sent, and what each kind of answer becomes.

use std::time::Duration;

use claviger_provider::answer::{AnswerError, Class};
use claviger_provider::catalog::Entry;
use claviger_provider::client::{ClientError, ClientSettings};
use claviger_provider::exchange::{App, CodeExchange, TokenAnswer, exchange_code};
use claviger_provider::refresh::{Refresh, refresh};
use model::{ClientSecret, CodeVerifier, RefreshToken, Secret};

use crate::provider::{Provider, Rudeness, client, client_with, counting, entry, held, impatient, rude};

const POST: &str = "client_authentication = \"post\"\n";

fn app() -> App {
    App { client_id: "my app".to_owned(), client_secret: Some(ClientSecret::from("s3cr+t/:&")) }
}

async fn exchange(entry: &Entry, url: &str) -> Result<TokenAnswer, AnswerError> {
    exchange_with(entry, url, &app()).await
}

async fn exchange_with(entry: &Entry, url: &str, app: &App) -> Result<TokenAnswer, AnswerError> {
    let request = CodeExchange {
        entry,
        token_url: url,
        app,
        code: &Secret::from("the-code"),
        redirect_uri: "https://claviger.example/api/oauth/callback/acme",
        code_verifier: Some(&CodeVerifier::from("the-verifier")),
    };
    exchange_code(&client(), request).await
}

async fn error_of(entry: &Entry, url: &str) -> AnswerError {
    exchange(entry, url).await.map(|_| "tokens").unwrap_err()
}

const FULL: &str = r#"{"access_token":"at","refresh_token":"rt","token_type":"Bearer","expires_in":3600,
    "scope":"read write","api_domain":"https://api.eu","noise":1}"#;

#[tokio::test]
async fn an_odd_token_type_loses_no_token() {
    for odd in ["[]", "7", r#""Bearer Token""#, r#""""#] {
        let body = format!(r#"{{"access_token":"at","refresh_token":"rt","token_type":{odd}}}"#);
        let provider = Provider::answering(200, &[], body).await;
        let request = Refresh {
            entry: &entry(POST),
            token_url: &provider.url("/token"),
            app: &app(),
            refresh_token: &RefreshToken::from("old"),
            scopes: None,
            timeout: None,
            gate: &|| true,
        };
        let answer = refresh(&client(), request).await.unwrap();
        assert_eq!((answer.token_type.as_str(), answer.refresh_token.is_some()), ("Bearer", true), "{odd}");
    }
}

#[tokio::test]
async fn a_code_becomes_tokens() {
    let provider = Provider::answering(200, &[], FULL).await;
    let entry = entry(&format!("{POST}token_answer = {{ keep = [\"api_domain\", \"absent\"] }}"));
    let answer = exchange(&entry, &provider.url("/token")).await.unwrap();
    assert_eq!(answer.access_token.expose(), "at");
    assert_eq!(answer.refresh_token.unwrap().expose(), "rt");
    assert_eq!(answer.token_type, "Bearer");
    assert_eq!(answer.expires_in, Some(Duration::from_hours(1)));
    assert_eq!(answer.scopes.unwrap().to_string(), "read write");
    assert_eq!(answer.extra.unwrap().expose(), r#"{"api_domain":"https://api.eu"}"#);
}

#[tokio::test]
async fn the_request_is_a_form_with_the_client_in_the_body() {
    let provider = Provider::answering(200, &[], FULL).await;
    let entry = entry(&format!("{POST}token_parameters = {{ audience = \"api\" }}"));
    exchange(&entry, &provider.url("/token")).await.unwrap();
    let received = provider.last();
    assert_eq!(received.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(received.headers["accept"], "application/json");
    assert!(!received.headers.contains_key("authorization"));
    assert_eq!(
        received.body,
        "grant_type=authorization_code&audience=api&client_id=my+app&client_secret=s3cr%2Bt%2F%3A%26&code=the-code\
         &redirect_uri=https%3A%2F%2Fclaviger.example%2Fapi%2Foauth%2Fcallback%2Facme&code_verifier=the-verifier"
    );
}

/// RFC 6749 §2.3.1: id and secret are form-encoded, then joined with a colon, then base64.
#[tokio::test]
async fn basic_authentication_encodes_before_it_joins() {
    let provider = Provider::answering(200, &[], FULL).await;
    exchange(&entry("client_authentication = \"basic\""), &provider.url("/token")).await.unwrap();
    let received = provider.last();
    let pair = data_encoding::BASE64.encode(b"my+app:s3cr%2Bt%2F%3A%26");
    assert_eq!(received.headers["authorization"], format!("Basic {pair}"));
    assert!(!received.body.contains("client_"), "credentials in two places: {}", received.body);
}

#[tokio::test]
async fn a_public_client_names_itself_and_sends_no_secret() {
    let public = App { client_id: "public".to_owned(), client_secret: None };
    for (method, app) in [("none", &app()), ("basic", &public), ("post", &public)] {
        let provider = Provider::answering(200, &[], FULL).await;
        let entry = entry(&format!("client_authentication = \"{method}\""));
        exchange_with(&entry, &provider.url("/token"), app).await.unwrap();
        let received = provider.last();
        assert!(received.body.contains("client_id=") && !received.body.contains("client_secret"), "{method}");
        assert!(!received.headers.contains_key("authorization"), "{method}");
    }
}

#[tokio::test]
async fn a_refresh_sends_the_token_once_and_may_answer_without_a_new_one() {
    let provider = Provider::answering(200, &[], r#"{"access_token":"at2","expires_in":60}"#).await;
    let request = Refresh {
        entry: &entry(POST),
        token_url: &provider.url("/token"),
        app: &app(),
        refresh_token: &RefreshToken::from("rt"),
        scopes: None,
        timeout: None,
        gate: &|| true,
    };
    let answer = refresh(&client(), request).await.unwrap();
    assert_eq!((answer.access_token.expose(), answer.refresh_token.is_none()), ("at2", true));
    assert_eq!(answer.token_type, "Bearer");
    assert!(answer.scopes.is_none() && answer.extra.is_none());
    let received = provider.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].body.starts_with("grant_type=refresh_token&"));
    assert!(received[0].body.ends_with("&refresh_token=rt"));
}

#[tokio::test]
async fn forms_and_nested_answers_are_read_by_the_recipe_whatever_the_content_type_says() {
    let form = entry(&format!("{POST}token_answer = {{ encoding = \"form\" }}"));
    let body = "access_token=at&scope=repo%2Cgist&token_type=bearer&expires_in=28800";
    let provider = Provider::answering(200, &[("content-type", "text/html")], body).await;
    let answer = exchange(&form, &provider.origin).await.unwrap();
    assert_eq!(answer.access_token.expose(), "at");
    assert_eq!(answer.scopes.unwrap().to_string(), "repo gist");
    assert_eq!(answer.expires_in, Some(Duration::from_hours(8)));

    let provider = Provider::answering(200, &[], "error=invalid_grant&error_description=Gone").await;
    assert_eq!(error_of(&form, &provider.origin).await.class, Class::Dead);

    let nested = entry(&format!(
        "{POST}token_answer = {{ access_token = \"authed_user.access_token\", refresh_token = \"list.0\", \
         success = {{ member = \"ok\", equals = true }} }}"
    ));
    let body = r#"{"ok":true,"authed_user":{"access_token":"nested"},"list":["first"]}"#;
    let provider = Provider::answering(200, &[], body).await;
    let answer = exchange(&nested, &provider.origin).await.unwrap();
    assert_eq!((answer.access_token.expose(), answer.refresh_token.unwrap().expose()), ("nested", "first"));

    for body in
        [body.replace("true", "false"), body.replace("true", "\"true\""), body.replace("\"ok\":true,", "")]
    {
        let provider = Provider::answering(200, &[], body.clone()).await;
        assert_eq!(error_of(&nested, &provider.origin).await.class, Class::Malformed, "{body}");
    }
}

#[tokio::test]
async fn what_is_no_token_answer_is_malformed_and_never_repeated() {
    let entry = entry(POST);
    for body in [
        "",
        "garbage",
        "<html>service page</html>",
        "null",
        "[]",
        "\"at\"",
        "{",
        "{}",
        r#"{"access_token":null}"#,
        r#"{"access_token":17}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"a\nb"}"#,
        r#"{"access_token":"ä"}"#,
        r#"{"access_token":{"value":"at"}}"#,
        r#"{"access_token":"at","refresh_token":7}"#,
        r#"{"access_token":"at","refresh_token":"r t"}"#,
        "access_token=at&token_type=bearer",
    ] {
        let provider = Provider::answering(200, &[], body).await;
        let error = error_of(&entry, &provider.origin).await;
        assert_eq!((error.class, error.status), (Class::Malformed, Some(200)), "{body}");
        assert!(!format!("{error} {error:?}").contains("service page"));
    }
    let invalid_utf8 = Provider::answering(200, &[], [b'{', 0xff, 0xfe, b'}']).await;
    assert_eq!(error_of(&entry, &invalid_utf8.origin).await.class, Class::Malformed);
    let long = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(64 * 1024 + 1));
    let long = Provider::answering(200, &[], long).await;
    assert_eq!(error_of(&entry, &long.origin).await.class, Class::Malformed);
    let deep = Provider::answering(200, &[], "[".repeat(100_000)).await;
    assert_eq!(error_of(&entry, &deep.origin).await.class, Class::Malformed);
}

#[tokio::test]
async fn tokens_with_a_redirect_or_an_error_status_are_not_taken() {
    for status in [302, 307, 400, 404] {
        let provider = Provider::answering(status, &[("location", "https://evil.example/")], FULL).await;
        let error = error_of(&entry(POST), &provider.origin).await;
        assert_eq!((error.class, error.status), (Class::Malformed, Some(status)));
        assert_eq!(provider.received().len(), 1);
    }
}

#[tokio::test]
async fn an_error_does_not_repeat_the_secrets_that_were_sent() {
    let echo =
        r#"{"error":"invalid_grant","error_description":"the-code of s3cr+t/:& with the-verifier is bad"}"#;
    let provider = Provider::answering(400, &[], echo).await;
    let error = error_of(&entry(POST), &provider.origin).await;
    assert_eq!(error.description.as_deref(), Some("[secret] of [secret] with [secret] is bad"));
    assert!(!format!("{error} {error:?}").contains("the-code"));
}

#[tokio::test]
async fn a_failed_call_tells_whether_the_request_went_out() {
    let entry = entry(POST);
    let class = async |url: String| error_of(&entry, &url).await.class;
    assert_eq!(class("http://127.0.0.1:1/token".to_owned()).await, Class::NotSent);
    assert_eq!(class("https://no-such-host.invalid/token".to_owned()).await, Class::NotSent);
    assert_eq!(class("https://10.0.0.1/token".to_owned()).await, Class::Configuration);
    assert_eq!(class("ftp://127.0.0.1/token".to_owned()).await, Class::Configuration);
    assert_eq!(class(rude(Rudeness::ClosesAfterReading).await).await, Class::Ambiguous);
    assert_eq!(class(rude(Rudeness::ClosesInTheMidst).await).await, Class::Ambiguous);
    let huge = Provider::answering(200, &[], vec![b' '; 10 * 1024 * 1024]).await;
    assert_eq!(class(huge.origin.clone()).await, Class::Malformed);

    let settings = ClientSettings {
        total_timeout: Duration::from_millis(200),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..impatient()
    };
    let request = Refresh {
        entry: &entry,
        token_url: &rude(Rudeness::Hangs).await,
        app: &app(),
        refresh_token: &RefreshToken::from("rt"),
        scopes: None,
        timeout: None,
        gate: &|| true,
    };
    let error = refresh(&client_with(settings), request).await.unwrap_err();
    assert_eq!((error.class, error.status), (Class::Ambiguous, None));
    assert!(std::error::Error::source(&error).is_some(), "the cause is kept");
}

#[tokio::test]
async fn a_refresh_whose_gate_closes_was_not_sent() {
    let (origin, octets) = counting().await;
    let request = Refresh {
        entry: &entry(POST),
        token_url: &origin,
        app: &app(),
        refresh_token: &RefreshToken::from("rt"),
        scopes: None,
        timeout: None,
        gate: &|| false,
    };
    let error = refresh(&client(), request).await.unwrap_err();
    assert_eq!((error.class, error.status, error.is_silent()), (Class::NotSent, None, false));
    assert!(matches!(error.transport.as_deref(), Some(ClientError::Withheld { .. })), "{error:?}");
    assert_eq!(octets.await.unwrap(), 0);
}

#[tokio::test]
async fn a_refresh_may_take_the_time_that_it_is_given() {
    let (origin, hold) = held(FULL).await;
    let settings = ClientSettings {
        total_timeout: Duration::from_millis(200),
        allow_private: vec!["127.0.0.1".to_owned()],
        ..impatient()
    };
    let http = client_with(settings);
    let (entry, app, refresh_token) = (entry(POST), app(), RefreshToken::from("the-token"));
    let request = |timeout| Refresh {
        entry: &entry,
        token_url: &origin,
        app: &app,
        refresh_token: &refresh_token,
        scopes: None,
        timeout,
        gate: &|| true,
    };
    assert!(!format!("{:?}", request(None)).contains("the-token"));
    let hurried = async {
        // By the time that this gives up, the other one has waited as long.
        let answer = refresh(&http, request(None)).await;
        hold.close();
        answer
    };
    let patient = refresh(&http, request(Some(Duration::from_mins(1))));
    let (patient, hurried) = tokio::join!(patient, hurried);
    assert!(hurried.unwrap_err().is_silent());
    assert_eq!(patient.unwrap().access_token.expose(), "at");
}

#[tokio::test]
async fn silence_is_when_no_answer_came_to_a_request_that_was_sent() {
    let entry = entry(POST);
    let silent = async |url: &str| error_of(&entry, url).await.is_silent();
    assert!(silent(&rude(Rudeness::ClosesAfterReading).await).await);
    assert!(silent(&rude(Rudeness::ClosesInTheMidst).await).await);
    assert!(!silent("http://127.0.0.1:1/token").await);
    assert!(!silent("https://10.0.0.1/token").await);
    for status in [200, 400, 409, 429, 500] {
        let provider = Provider::answering(status, &[], "<html>").await;
        assert!(!silent(&provider.origin).await, "{status}");
    }
    let huge = Provider::answering(200, &[], vec![b' '; 10 * 1024 * 1024]).await;
    assert!(!silent(&huge.origin).await);
}
