//! Groups: one consent, one credential, several connections.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::browser::parameter;
use crate::harness::{Browser, World};

const SANDBOX: &str = include_str!("../../../provider/catalog/sandbox.toml");

/// Three tools of one company, which the sandbox plays.
pub(crate) fn suite() -> String {
    let own_scopes = |tool: &str| {
        format!("default_scopes = [\"profile\", \"offline_access\", \"{tool}:read\", \"{tool}:write\"]")
    };
    let entry = |tool: &str| {
        SANDBOX.replace("id = \"sandbox\"", &format!("id = \"{tool}\"\ngroup = \"suite\"")).replace(
            r#"default_scopes = ["profile", "email", "notes:read", "offline_access"]"#,
            &own_scopes(tool),
        )
    };
    let group = "[[group]]\nid = \"suite\"\ndisplay_name = \"Suite\"\n".to_owned();
    ["calendar", "mail", "tasks"].iter().fold(group, |file, tool| file + entry(tool).as_str())
}

pub(crate) const CONFIGURED: &str = "[groups.suite]\nclient_id = \"claviger\"\nclient_secret = \"sandbox-secret\"\n\
                          parameters = { sandbox_url = \"{sandbox}\" }\n";

macro_rules! with_the_suite {
    ($(async fn $name:ident($world:ident: World) $body:block)*) => {$(
        async fn $name($world: World) $body

        mod $name {
            use crate::harness::World;

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(World::knowing(None, &super::suite(), super::CONFIGURED).await).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                if let Some(database) = store::testing::fresh_postgres().await {
                    super::$name(World::knowing(Some(database), &super::suite(), super::CONFIGURED).await).await;
                }
            }
        }
    )*};
}

pub(crate) async fn connect(world: &World, query: &str) {
    let browser = Browser::new();
    let callback = world.callback_url(&browser, query).await;
    let arrived = browser.get(callback).await.expect(303).location();
    assert_eq!(parameter(&arrived, "oauth").as_deref(), Some("success"), "{arrived}");
}

async fn token(world: &World, tool: &str) -> String {
    let answer = world.api(&format!("/api/connections/client-7/{tool}/token")).await.expect(200);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn connection(world: &World, tool: &str) -> Value {
    world.api(&format!("/api/connections/client-7/{tool}")).await.expect(200).json()
}

async fn asked_scopes(world: &World, query: &str) -> BTreeSet<String> {
    let link = world.auth_url(query).await;
    let provider = Browser::new().get(link).await.expect(303).location();
    parameter(&provider, "scope").unwrap().split(' ').map(str::to_owned).collect()
}

with_the_suite! {
    async fn one_consent_connects_every_member_of_a_group(world: World) {
        connect(&world, "group=suite").await;
        assert_eq!(world.calls("token", Some("authorization_code")).await, 1);
        let tokens = [token(&world, "calendar").await, token(&world, "mail").await, token(&world, "tasks").await];
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        for tool in ["calendar", "mail", "tasks"] {
            let connection = connection(&world, tool).await;
            assert_eq!(connection["status"], "active");
            assert_eq!(connection["requestedScopes"], json!(["profile", "offline_access", format!("{tool}:read"), format!("{tool}:write")]));
            assert_eq!(connection["scopesMissing"], json!([]));
            assert!(connection["account"]["name"].is_string());
        }
    }

    async fn a_refresh_for_one_member_serves_all(world: World) {
        connect(&world, "group=suite").await;
        let before = token(&world, "tasks").await;
        world.call(Method::POST, "/api/connections/client-7/calendar/refresh", &json!({})).await.expect(200);
        let after = token(&world, "tasks").await;
        assert_ne!(after, before);
        assert_eq!(after, token(&world, "mail").await);
        assert_eq!(world.calls("token", Some("refresh_token")).await, 1);
    }

    async fn a_later_member_with_the_same_account_widens_the_credential(world: World) {
        connect(&world, "provider=calendar").await;
        let first = token(&world, "calendar").await;
        let asked = asked_scopes(&world, "provider=tasks").await;
        for scope in ["calendar:read", "calendar:write", "tasks:read", "tasks:write", "profile"] {
            assert!(asked.contains(scope), "{scope} in {asked:?}");
        }
        assert!(!asked.contains("mail:read"), "nobody connected that");
        connect(&world, "provider=tasks").await;
        let second = token(&world, "tasks").await;
        assert_ne!(second, first);
        assert_eq!(token(&world, "calendar").await, second);
        assert_eq!(connection(&world, "calendar").await["requestedScopes"], json!(["profile", "offline_access", "calendar:read", "calendar:write"]));
        let moved = world.audited("connection.moved").await;
        assert_eq!(moved["facts"]["integration"], "calendar", "{moved}");
    }

    async fn a_later_member_with_another_account_stands_alone(world: World) {
        connect(&world, "provider=calendar").await;
        let first = token(&world, "calendar").await;
        world.control(&json!({"account": "bert@example.com"})).await;
        connect(&world, "provider=tasks").await;
        assert_ne!(token(&world, "tasks").await, first);
        assert_eq!(token(&world, "calendar").await, first);
        let accounts = [connection(&world, "calendar").await, connection(&world, "tasks").await];
        assert_ne!(accounts[0]["account"]["id"], accounts[1]["account"]["id"]);
    }

    async fn a_later_consent_that_allows_less_takes_nothing_over(world: World) {
        connect(&world, "provider=calendar").await;
        let first = token(&world, "calendar").await;
        world.control(&json!({"grantedScopes": ["profile", "offline_access", "tasks:read", "tasks:write"]})).await;
        connect(&world, "provider=tasks").await;
        assert_ne!(token(&world, "tasks").await, first);
        assert_eq!(token(&world, "calendar").await, first);
    }

    async fn a_label_keeps_to_itself(world: World) {
        connect(&world, "provider=calendar").await;
        assert!(!asked_scopes(&world, "provider=tasks&label=work").await.contains("calendar:read"));
        connect(&world, "provider=tasks&label=work").await;
        let work = world.api("/api/connections/client-7/tasks/token?label=work").await.expect(200).json();
        assert_ne!(work["access_token"], token(&world, "calendar").await);
    }

    async fn a_disconnected_member_is_not_asked_for_again(world: World) {
        connect(&world, "group=suite").await;
        world.call(Method::DELETE, "/api/connections/client-7/mail", &json!({})).await;
        assert!(!asked_scopes(&world, "provider=tasks").await.contains("mail:read"));
        let answer = world.api("/api/connections/client-7/mail/token").await;
        assert_eq!(answer.problem(), (404, "connection_not_found".to_owned()));
        token(&world, "calendar").await;
    }
}

#[tokio::test]
async fn a_member_that_is_written_out_has_the_groups_app_and_scopes_of_its_own() {
    let lines = format!("{CONFIGURED}[integrations.calendar]\nscopes = [\"profile\", \"offline_access\"]\n");
    let world = World::knowing(None, &suite(), &lines).await;
    let asked = asked_scopes(&world, "provider=calendar").await;
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), ["offline_access", "profile"]);
    connect(&world, "group=suite").await;
    assert_eq!(connection(&world, "calendar").await["scopesMissing"], json!([]));
}

#[tokio::test]
async fn the_question_about_a_group_names_the_account_that_would_go() {
    let world = World::knowing(None, &suite(), CONFIGURED).await;
    connect(&world, "provider=calendar").await;
    world.control(&json!({"account": "bert@example.com"})).await;
    connect(&world, "provider=tasks").await;
    world.control(&json!({"account": null})).await;
    let browser = Browser::new();
    let callback = world.callback_url(&browser, "group=suite").await;
    let link = browser.get(callback).await.expect(303).location();
    let page = browser.get(&link).await.expect(200);
    assert!(page.body.contains("bert@example.com"), "{}", page.body);
    browser.form(link, &[("account", "new")]).await.expect(303);
    assert_ne!(connection(&world, "tasks").await["account"]["name"], "bert@example.com");
}

#[tokio::test]
async fn a_group_that_can_not_be_connected_says_why() {
    let lines = "[groups.suite]\nclient_id = \"claviger\"\nmembers = [\"calendar\"]\n\
                 parameters = { sandbox_url = \"{sandbox}\" }\n[groups.zoho]\n";
    let world = World::knowing(None, &suite(), lines).await;
    for (query, expected) in [
        ("group=nobody", (404, "group_not_found")),
        ("group=zoho", (400, "group_not_configured")),
        ("group=suite&provider=calendar", (400, "invalid_parameter")),
        ("group=suite&scopes=profile", (400, "invalid_parameter")),
        ("group=Not%20a%20name", (400, "invalid_parameter")),
        ("provider=tasks", (400, "integration_not_configured")),
    ] {
        let answer = world.api(&format!("/api/oauth/authorize/client-7?{query}")).await;
        assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{query}");
    }
    // A member with an app of its own can't share the consent.
    let own = json!({"clientId": "another", "clientSecret": "s"});
    world.call(Method::PUT, "/api/subjects/client-7/integrations/calendar", &own).await.expect(200);
    let own = json!({"clientId": "claviger", "clientSecret": "sandbox-secret"});
    world.call(Method::PUT, "/api/integrations/tasks", &own).await.expect(200);
    let answer = world.api("/api/oauth/authorize/client-7?group=suite").await;
    assert_eq!(answer.problem(), (400, "integration_not_configured".to_owned()));
}

#[test]
fn an_app_is_set_on_the_group_or_on_its_members() {
    for (lines, expected) in [
        ("[groups.nobody]\n", "the catalog has no such group"),
        ("[groups.zoho]\nmembers = [\"github\"]\n", "github is none of its members"),
        (
            "[groups.zoho]\nclient_id = \"g\"\n[integrations.zoho_crm]\nclient_id = \"a\"\n",
            "has an app of its own",
        ),
        ("[groups.zoho]\nattempt_ttl = \"5m\"\n[integrations.zoho_crm]\nclient_id = \"a\"\n", ""),
    ] {
        let error = crate::harness::world::refused(lines);
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.is_empty(), expected.is_empty(), "{error}");
    }
}
