//! Token pairs besides the first one, resources, and bodies that are JSON.

use std::time::Duration;

use claviger_provider::answer::{AnswerError, Class};
use claviger_provider::catalog::{AuthorizeRequest, Entry, UnknownResource};
use claviger_provider::exchange::{App, CodeExchange, TokenAnswer, exchange_code};
use claviger_provider::refresh::{Refresh, refresh};
use model::{ClientSecret, RefreshToken, Scopes, Secret};

use crate::provider::{Provider, client, entry};

const PARTS: &str = r#"
    client_authentication = "post"
    scope_separator = ","
    [provider.parts.user]
    scope_parameter = "user_scope"
    access_token = "authed_user.access_token"
    refresh_token = "authed_user.refresh_token"
    expires_in = "authed_user.expires_in"
    scope = "authed_user.scope"
    token_type = "authed_user.token_type"
"#;

fn app() -> App {
    App { client_id: "me".to_owned(), client_secret: Some(ClientSecret::from("s3cret")) }
}

async fn exchange(entry: &Entry, body: &str) -> (Result<TokenAnswer, AnswerError>, Provider) {
    let provider = Provider::answering(200, &[], body).await;
    let request = CodeExchange {
        entry,
        token_url: &provider.url("/token"),
        app: &app(),
        code: &Secret::from("the-code"),
        redirect_uri: "https://claviger.example/cb",
        code_verifier: None,
    };
    (exchange_code(&client(), request).await, provider)
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text, " ")
}

/// What is kept: access and refresh tokens of the first pair and of the parts.
fn kept(answer: &TokenAnswer) -> String {
    let refresh =
        |token: &Option<RefreshToken>| token.as_ref().map_or("-".to_owned(), |t| t.expose().to_owned());
    let first = format!("{} {}", answer.access_token.expose(), refresh(&answer.refresh_token));
    let parts = answer.parts.iter().map(|part| {
        format!("{}: {} {}", part.name, part.access_token.expose(), refresh(&part.refresh_token))
    });
    std::iter::once(first).chain(parts).collect::<Vec<_>>().join(", ")
}

#[test]
fn scopes_of_a_part_go_into_its_own_parameter_without_its_name() {
    let entry = entry(PARTS);
    let endpoints = entry.endpoints(&[].into(), None).unwrap();
    let query = |text: &str| {
        let scopes = scopes(text);
        let request = AuthorizeRequest {
            client_id: "me",
            redirect_uri: "https://claviger.example/cb",
            scopes: &scopes,
            login_hint: None,
            endpoints: &endpoints,
        };
        let url = entry.authorize_url(&request);
        let named = url.query_pairs().filter(|(name, _)| name.contains("scope"));
        named.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        query("chat:write user/search:read channels:read user/a/b"),
        "scope=chat:write,channels:read user_scope=search:read,a/b"
    );
    assert_eq!(query("user/search:read"), "user_scope=search:read");
    assert_eq!(query("users/read https://x/y /x"), "scope=users/read,https://x/y,/x");
}

#[tokio::test]
async fn one_answer_brings_both_pairs() {
    let body = r#"{"access_token":"bot","refresh_token":"bot-r","scope":"chat:write,a","expires_in":43200,
        "authed_user":{"access_token":"usr","refresh_token":"usr-r","scope":"search:read","expires_in":60,
        "token_type":"user"}}"#;
    let entry = entry(PARTS);
    let answer = exchange(&entry, body).await.0.unwrap();
    assert_eq!(kept(&answer), "bot bot-r, user: usr usr-r");
    assert_eq!(answer.scopes.as_ref().unwrap(), &scopes("chat:write a"));
    let part = &answer.parts[0];
    assert_eq!(part.scopes.as_ref().unwrap(), &scopes("user/search:read"));
    assert_eq!((part.expires_in, part.token_type.as_str()), (Some(Duration::from_mins(1)), "user"));

    let requested = scopes("chat:write b user/search:read user/more");
    let granted = answer.granted(&entry, &requested);
    assert_eq!(requested.missing_in(&granted), scopes("b user/more"));
}

#[tokio::test]
async fn a_pair_that_says_no_scopes_has_those_that_were_asked_for_it() {
    let body = r#"{"access_token":"bot","authed_user":{"access_token":"usr"}}"#;
    let entry = entry(PARTS);
    let answer = exchange(&entry, body).await.0.unwrap();
    let requested = scopes("chat:write user/search:read");
    assert_eq!(answer.granted(&entry, &requested), requested);
    let alone = exchange(&entry, r#"{"access_token":"bot"}"#).await.0.unwrap();
    assert_eq!(alone.granted(&entry, &requested), scopes("chat:write"));
}

#[tokio::test]
async fn a_part_alone_is_the_first_pair_and_never_both() {
    let entry = entry(PARTS);
    for first in ["", r#""access_token":null,"#, r#""refresh_token":"stray","#] {
        let body = format!(
            r#"{{{first}"authed_user":{{"access_token":"usr","refresh_token":"usr-r","scope":"search:read"}}}}"#
        );
        let answer = exchange(&entry, &body).await.0.unwrap();
        assert_eq!(kept(&answer), "usr usr-r", "{body}");
        assert_eq!(answer.scopes.unwrap(), scopes("user/search:read"));
    }
}

#[tokio::test]
async fn a_part_that_is_not_usable_costs_no_other_pair() {
    let entry = entry(PARTS);
    let long = format!(r#"{{"access_token":"{}"}}"#, "u".repeat(64 * 1024 + 1));
    for part in [
        "7",
        "null",
        "[]",
        r#""usr""#,
        "{}",
        r#"{"access_token":7}"#,
        r#"{"access_token":{}}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":"u r"}"#,
        r#"{"access_token":"u\r\nX-Evil: 1"}"#,
        r#"{"access_token":"usr","refresh_token":7}"#,
        r#"{"access_token":"usr","refresh_token":"r t"}"#,
        // Another pair's tokens: whoever refreshed both would spend one token twice.
        r#"{"access_token":"usr","refresh_token":"bot-r"}"#,
        r#"{"access_token":"bot","refresh_token":"usr-r"}"#,
        &long,
    ] {
        let body = format!(r#"{{"access_token":"bot","refresh_token":"bot-r","authed_user":{part}}}"#);
        assert_eq!(kept(&exchange(&entry, &body).await.0.unwrap()), "bot bot-r", "{part}");
        let alone = format!(r#"{{"authed_user":{part}}}"#);
        if !part.contains("bot") {
            assert_eq!(exchange(&entry, &alone).await.0.unwrap_err().class, Class::Malformed, "{part}");
        }
    }
    for odd in ["7", "[]", "\"soon\"", "null"] {
        let body = format!(
            r#"{{"access_token":"bot","authed_user":{{"access_token":"usr","expires_in":{odd},"scope":7,"token_type":{odd}}}}}"#
        );
        assert_eq!(exchange(&entry, &body).await.0.unwrap().parts.len(), 1, "{odd}");
    }
}

#[tokio::test]
async fn a_body_can_be_json() {
    let entry =
        entry("client_authentication = \"post\"\ntoken_body = \"json\"\ntoken_parameters = { x = \"é&\" }");
    let (answer, provider) = exchange(&entry, r#"{"access_token":"at"}"#).await;
    answer.unwrap();
    let received = provider.last();
    assert_eq!(received.headers["content-type"], "application/json");
    let sent: serde_json::Value = serde_json::from_str(&received.body).unwrap();
    assert_eq!(
        sent,
        serde_json::json!({
            "grant_type": "authorization_code",
            "x": "é&",
            "client_id": "me",
            "client_secret": "s3cret",
            "code": "the-code",
            "redirect_uri": "https://claviger.example/cb",
        })
    );
}

#[tokio::test]
async fn a_refresh_can_ask_for_some_scopes() {
    let provider = Provider::answering(200, &[], r#"{"access_token":"at"}"#).await;
    let entry = entry("client_authentication = \"post\"\nscope_separator = \",\"");
    let asked = scopes("https://contoso.sharepoint.com/.default offline_access");
    let request = Refresh {
        entry: &entry,
        token_url: &provider.url("/token"),
        app: &app(),
        refresh_token: &RefreshToken::from("rt"),
        scopes: Some(&asked),
        timeout: None,
        gate: &|| true,
    };
    refresh(&client(), request).await.unwrap();
    assert!(
        provider
            .last()
            .body
            .ends_with("&scope=https%3A%2F%2Fcontoso.sharepoint.com%2F.default%2Coffline_access"),
        "{}",
        provider.last().body
    );
}

#[test]
fn a_resource_is_an_origin_of_the_provider_and_nothing_else() {
    let more = "client_authentication = \"post\"\n[provider.resources]\norigin_suffix = [\".sharepoint.com\"]\n\
                scopes = [\"{resource}/.default\", \"offline_access\"]";
    let microsoft = entry(more);
    let for_resource = |resource: &str| microsoft.resource_scopes(resource).map(|scopes| scopes.to_string());
    assert_eq!(
        for_resource("https://contoso.sharepoint.com").unwrap(),
        "https://contoso.sharepoint.com/.default offline_access"
    );
    assert!(for_resource("https://contoso-my.sharepoint.com").is_ok());
    for foreign in [
        "",
        "contoso.sharepoint.com",
        "http://contoso.sharepoint.com",
        "https://sharepoint.com",
        "https://.sharepoint.com",
        "https://..sharepoint.com",
        "https://evilsharepoint.com",
        "https://contoso.sharepoint.com.evil.example",
        "https://evil.example/.sharepoint.com",
        "https://evil.example?.sharepoint.com",
        "https://evil.example#.sharepoint.com",
        "https://contoso.sharepoint.com/",
        "https://contoso.sharepoint.com/sites",
        "https://contoso.sharepoint.com:8443",
        "https://contoso.sharepoint.com:443",
        "https://evil@contoso.sharepoint.com",
        "https://Contoso.sharepoint.com",
        "HTTPS://contoso.sharepoint.com",
        "https://contoso.sharepoint.com offline_access",
        " https://contoso.sharepoint.com",
        "https://contoso.sharepoint.com\n",
        "https://con toso.sharepoint.com",
        "https://{resource}.sharepoint.com",
    ] {
        let error = microsoft.resource_scopes(foreign).unwrap_err();
        assert!(matches!(error, UnknownResource::Foreign { .. }), "{foreign:?}");
        assert!(
            error.to_string().contains(".sharepoint.com") && !error.to_string().contains("evil"),
            "{error}"
        );
    }
    let plain = entry("client_authentication = \"post\"").resource_scopes("https://contoso.sharepoint.com");
    assert!(matches!(plain, Err(UnknownResource::None { .. })));
}

#[tokio::test]
async fn scopes_are_compared_as_they_were_asked_for() {
    let entry = entry(
        "client_authentication = \"post\"\nunlisted_scopes = [\"offline_access\"]\n\
         scope_aliases = { \"https://x/email\" = \"email\" }",
    );
    let answer = exchange(&entry, r#"{"access_token":"at","scope":"https://x/email read"}"#).await.0.unwrap();
    let requested = scopes("email read write offline_access");
    let granted = answer.granted(&entry, &requested);
    assert_eq!(requested.missing_in(&granted), scopes("write"));
    // What nobody asked for is not granted because answers never name it.
    assert!(!answer.granted(&entry, &scopes("read")).contains("offline_access"));
}

#[tokio::test]
async fn a_part_s_refresh_that_answers_at_the_top_keeps_its_scopes_names() {
    let entry = entry(PARTS);
    for body in [
        r#"{"access_token":"usr","refresh_token":"r","scope":"search:read,files:read"}"#,
        r#"{"authed_user":{"access_token":"usr","refresh_token":"r","scope":"search:read,files:read"}}"#,
    ] {
        let answer = exchange(&entry, body).await.0.unwrap().of_part(&entry, "user");
        assert_eq!(kept(&answer), "usr r");
        assert_eq!(answer.scopes.unwrap(), scopes("user/search:read user/files:read"));
    }
}
