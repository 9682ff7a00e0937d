//! Whose account it is, over real HTTP.

use claviger_provider::catalog::Entry;
use claviger_provider::exchange::TokenAnswer;
use claviger_provider::identity::{IdentityError, fetch_account};
use model::{AccessToken, Account, Scopes};

use crate::provider::{Provider, client, entry};

const AUTHENTICATION: &str = "client_authentication = \"post\"\n";

fn answer(token: &str, scopes: Option<&str>) -> TokenAnswer {
    TokenAnswer {
        access_token: AccessToken::from(token),
        refresh_token: None,
        token_type: "Bearer".to_owned(),
        expires_in: None,
        scopes: scopes.map(|scopes| Scopes::parse(scopes, " ")),
        extra: None,
    }
}

async fn fetch(entry: &Entry, body: &str) -> Result<Option<Account>, IdentityError> {
    let provider = Provider::answering(200, &[], body).await;
    fetch_account(&client(), entry, &provider.url("/me"), &answer("at", None)).await
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
    fetch_account(&client(), &zoho, &provider.url("/me"), &answer("at", None)).await.unwrap();
    assert_eq!(provider.last().headers["authorization"], "Zoho-oauthtoken at");
    let own = entry(&format!("{AUTHENTICATION}access_header = \"X-Token: {{token}};v=1\""));
    fetch_account(&client(), &own, &provider.url("/me"), &answer("at", None)).await.unwrap();
    assert_eq!(provider.last().headers["x-token"], "at;v=1");
}

#[tokio::test]
async fn nobody_is_asked_when_the_scope_was_not_granted() {
    let provider = Provider::answering(200, &[], r#"{"account":{"id":1}}"#).await;
    let entry = entry(AUTHENTICATION);
    let url = provider.url("/me");
    let account = fetch_account(&client(), &entry, &url, &answer("at", Some("crm.read"))).await.unwrap();
    assert_eq!((account, provider.received().len()), (None, 0));
    assert!(
        fetch_account(&client(), &entry, &url, &answer("at", Some("crm.read profile")))
            .await
            .unwrap()
            .is_some()
    );
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
    let refused = fetch_account(&client(), &entry, &provider.origin, &answer("at", None)).await;
    assert!(matches!(refused, Err(IdentityError::Refused { status: 401 })));
    let injection = fetch_account(&client(), &entry, &provider.origin, &answer("a\r\nX-Evil: 1", None)).await;
    assert!(matches!(injection, Err(IdentityError::UnusableToken)));
    assert_eq!(provider.received().len(), 1);
}
