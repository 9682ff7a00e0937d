//! Whose account it is, over real HTTP.

use std::time::Duration;

use claviger_provider::catalog::Entry;
use claviger_provider::format::file;
use claviger_provider::identity::{IdentityError, fetch_account};
use model::{AccessToken, Account, Scopes};

use crate::provider::{Provider, Rudeness, client, entry, rude};

const AUTHENTICATION: &str = "client_authentication = \"post\"\n";

async fn ask(
    entry: &Entry,
    url: &str,
    token: &str,
    granted: Option<&str>,
) -> Result<Option<Account>, IdentityError> {
    let granted = granted.map(|granted| Scopes::parse(granted, " "));
    let minute = Duration::from_mins(1);
    fetch_account(&client(), entry, url, &AccessToken::from(token), granted.as_ref(), minute).await
}

async fn fetch(entry: &Entry, body: &str) -> Result<Option<Account>, IdentityError> {
    let provider = Provider::answering(200, &[], body).await;
    ask(entry, &provider.url("/me"), "at", None).await
}

#[tokio::test]
async fn the_account_is_read_by_path_and_an_id_may_be_a_number() {
    let entry = entry(AUTHENTICATION);
    let account =
        fetch(&entry, r#"{"account":{"id":583231,"mail":"anna@example.com"}}"#).await.unwrap().unwrap();
    assert_eq!((account.id.as_str(), account.name.as_deref()), ("583231", Some("anna@example.com")));
    let nameless = fetch(&entry, r#"{"account":{"id":"u-1","mail":null}}"#).await.unwrap().unwrap();
    assert_eq!((nameless.id.as_str(), nameless.name), ("u-1", None));
}

#[tokio::test]
async fn the_token_goes_into_the_header_of_the_entry() {
    let provider = Provider::answering(200, &[], r#"{"account":{"id":1}}"#).await;
    let zoho =
        entry(&format!("{AUTHENTICATION}access_header = \"Authorization: Zoho-oauthtoken {{token}}\""));
    ask(&zoho, &provider.url("/me"), "at", None).await.unwrap();
    assert_eq!(provider.last().headers["authorization"], "Zoho-oauthtoken at");
    let own = entry(&format!("{AUTHENTICATION}access_header = \"X-Token: {{token}};v=1\""));
    ask(&own, &provider.url("/me"), "at", None).await.unwrap();
    assert_eq!(provider.last().headers["x-token"], "at;v=1");
}

#[tokio::test]
async fn nobody_is_asked_when_the_scope_was_not_granted() {
    let provider = Provider::answering(200, &[], r#"{"account":{"id":1}}"#).await;
    let entry = entry(AUTHENTICATION);
    let url = provider.url("/me");
    let account = ask(&entry, &url, "at", Some("crm.read")).await.unwrap();
    assert_eq!((account, provider.received().len()), (None, 0));
    assert!(ask(&entry, &url, "at", Some("crm.read profile")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_unusable_identity_is_an_error_and_no_panic() {
    let entry = entry(AUTHENTICATION);
    let long = format!(r#"{{"account":{{"id":"{}"}}}}"#, "x".repeat(257));
    let bodies = [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"account":7}"#,
        r#"{"account":{"id":null}}"#,
        r#"{"account":{"id":""}}"#,
        r#"{"account":{"id":"a\u0000b"}}"#,
        r#"{"account":{"id":["x"]}}"#,
        &long,
    ];
    for body in bodies {
        assert!(matches!(fetch(&entry, body).await, Err(IdentityError::Malformed(_))), "{body}");
    }
    let provider = Provider::answering(401, &[], r#"{"account":{"id":1}}"#).await;
    let refused = ask(&entry, &provider.origin, "at", None).await;
    assert!(matches!(refused, Err(IdentityError::Refused { status: 401 })));
    let injection = ask(&entry, &provider.origin, "a\r\nX-Evil: 1", None).await;
    assert!(matches!(injection, Err(IdentityError::UnusableToken)));
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn the_entry_s_own_headers_go_along() {
    let provider = Provider::answering(200, &[], r#"{"account":{"id":1}}"#).await;
    let entry = entry(&format!("{AUTHENTICATION}api_headers = {{ Notion-Version = \"2022-06-28\" }}"));
    ask(&entry, &provider.url("/me"), "at", None).await.unwrap();
    let received = provider.last();
    assert_eq!(
        (received.method.as_str(), &received.headers["notion-version"]),
        ("GET", &"2022-06-28".parse().unwrap())
    );
    assert_eq!(received.headers["accept"], "application/json");
}

/// An entry whose identity is `identity`.
fn identified(identity: &str) -> Entry {
    let mut entry = entry(AUTHENTICATION);
    let text = format!(
        "[[provider]]\nid = \"a\"\ndisplay_name = \"A\"\nlogo = \"A\"\ncategory = \"t\"\n\
         documentation = \"https://a.example\"\nflow = \"api_key\"\nclient_authentication = \"none\"\n\
         endpoints = {{ userinfo = \"https://a.example/me\" }}\n[provider.identity]\n{identity}"
    );
    entry.identity = file::parse("a.toml", &text).unwrap().entries.remove(0).item.identity;
    entry
}

#[tokio::test]
async fn a_question_can_be_a_post_with_or_without_a_body() {
    let answer = r#"{"data":{"viewer":{"id":"u1"},"organization":{"id":7}}}"#;
    let provider = Provider::answering(200, &[], answer).await;
    let linear = identified(
        "method = \"POST\"\nbody = '{\"query\":\"{ viewer { id } }\"}'\n\
         id = [\"data.organization.id\", \"data.viewer.id\"]",
    );
    let account = ask(&linear, &provider.url("/graphql"), "at", None).await.unwrap().unwrap();
    assert_eq!(account.id, "7:u1");
    let received = provider.last();
    assert_eq!(
        (received.method.as_str(), received.body.as_str()),
        ("POST", r#"{"query":"{ viewer { id } }"}"#)
    );
    assert_eq!(received.headers["content-type"], "application/json");

    let empty = identified("method = \"POST\"\nid = \"data.viewer.id\"");
    ask(&empty, &provider.url("/me"), "at", None).await.unwrap();
    let received = provider.last();
    assert_eq!((received.method.as_str(), received.body.as_str()), ("POST", ""));
    assert!(!received.headers.contains_key("content-type"));
}

#[tokio::test]
async fn a_joined_id_needs_all_of_its_members() {
    let slack = identified("id = [\"team_id\", \"user_id\"]\nsuccess = { member = \"ok\", equals = true }");
    let cases = [
        (r#"{"ok":true,"team_id":"T1","user_id":"U1"}"#, Some("T1:U1")),
        (r#"{"ok":true,"team_id":"T1"}"#, None),
        (r#"{"ok":true,"team_id":"T1","user_id":null}"#, None),
        (r#"{"ok":true,"team_id":"T1","user_id":""}"#, None),
    ];
    for (body, id) in cases {
        let account = fetch(&slack, body).await.ok().flatten();
        assert_eq!(account.map(|account| account.id).as_deref(), id, "{body}");
    }
    let refused = fetch(&slack, r#"{"ok":false,"team_id":"T1","user_id":"U1"}"#).await;
    assert!(matches!(refused, Err(IdentityError::Refused { status: 200 })));
    let (a, b) = ("x".repeat(200), "y".repeat(200));
    let long = fetch(&slack, &format!(r#"{{"ok":true,"team_id":"{a}","user_id":"{b}"}}"#)).await;
    assert!(matches!(long, Err(IdentityError::Malformed(_))));
}

#[tokio::test]
async fn nobody_waits_longer_than_told() {
    let url = rude(Rudeness::Hangs).await;
    let token = AccessToken::from("at");
    let short = Duration::from_millis(50);
    let late = fetch_account(&client(), &entry(AUTHENTICATION), &url, &token, None, short).await;
    assert!(matches!(late, Err(IdentityError::Transport(_))));
}
