//! The life of one connection: each function is a column of the table, and says `ok` or why there is nothing to see.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use super::cases::{Case, EndsBy};
use crate::disconnect::disconnect;
use crate::harness::browser::parameter;
use crate::harness::played::{app, basic};
use crate::harness::{Browser, World};

const OK: &str = "ok";

/// Longer than any refresh token here lives, and than any access token.
const A_HUNDRED_DAYS: u64 = 100 * 86_400;

/// Plays it all, and gives the cells of its row.
pub(super) async fn of(case: Case) -> Vec<String> {
    let lines = app(&format!("integrations.{}", case.id), case.app);
    let life = Life { case, world: World::playing(None, case.id, &lines).await };
    // Where they live longer it is shorter, so that a hundred days are enough for all.
    life.world.control_app(case.app, &json!({"refreshTokenTtl": 90 * 86_400})).await;
    let authorize = life.authorize().await;
    let callback = life.callback().await;
    let identity = life.identity().await;
    let refresh = life.refresh().await;
    let revoke = life.revoke().await;
    let validate = life.validate().await;
    let dead = life.dead().await;
    vec![case.id.to_owned(), authorize, callback, refresh, dead, revoke, validate, identity]
}

struct Life {
    case: Case,
    world: World,
}

impl Life {
    fn query(&self) -> String {
        format!("provider={}", self.case.id)
    }

    fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.case.id)
    }

    async fn token(&self) -> String {
        self.world.token_at(&self.path("/token")).await
    }

    async fn works(&self, token: &str) -> bool {
        let method = if self.case.app == "slack" { Method::POST } else { Method::GET };
        self.world.is_taken(method, self.case.api, token).await
    }

    async fn connect(&self) {
        self.world.connect_by(&self.query()).await;
    }

    /// The person, or time, ends the grant at the provider.
    async fn end_the_grant(&self) {
        let (world, token) = (&self.world, self.token().await);
        match self.case.ends_by {
            EndsBy::GithubGrant => {
                let id = self.case.app;
                let url = world.at(&format!("api.github.com/applications/{id}/grant"));
                let headers = [
                    ("authorization", &*basic(id)),
                    ("user-agent", "a test"),
                    ("content-type", "application/json"),
                ];
                let body = json!({ "access_token": token }).to_string();
                Browser::new().send(Method::DELETE, &url, &headers, body.into()).await.expect(204);
            }
            EndsBy::GoogleRevocation => {
                let url = world.at("oauth2.googleapis.com/revoke");
                Browser::new().form(url, &[("token", &token)]).await.expect(200);
            }
            EndsBy::SlackRevocation => {
                let url = world.at("slack.com/api/auth.revoke");
                let ended =
                    Browser::with_key(&token).send(Method::POST, &url, &[], Bytes::new()).await.json();
                assert_eq!(ended["revoked"], true, "{ended}");
            }
            EndsBy::Age => {
                world.control_app(self.case.app, &json!({ "clockOffset": A_HUNDRED_DAYS })).await;
            }
        }
        assert!(!self.works(&token).await, "{}: the provider still takes it", self.case.id);
    }

    /// RFC 6749 §4.1.1, RFC 7636 §4.3, and what the provider wants besides.
    async fn authorize(&self) -> String {
        let (case, world) = (self.case, &self.world);
        let url = world.authorization_request(&self.query()).await;
        let shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
        assert_eq!(shown, world.at(case.authorize));
        let redirect_uri = format!("{}/api/oauth/callback/{}", world.url, case.callback);
        let mut expected =
            vec![("client_id", case.app), ("redirect_uri", &redirect_uri), ("response_type", "code")];
        expected.extend(case.parameters);
        for (name, value) in &expected {
            assert_eq!(parameter(&url, name).as_deref(), Some(*value), "{name} in {url}");
        }
        let state = parameter(&url, "state").unwrap();
        assert!(state.len() == 64 && state.bytes().all(|octet| octet.is_ascii_hexdigit()), "{url}");
        let separator = if case.scope.contains(',') { "," } else { " " };
        let scopes = |text: &str| text.split(separator).map(str::to_owned).collect::<BTreeSet<_>>();
        let asked = parameter(&url, "scope").unwrap_or_default();
        assert_eq!(scopes(&asked), scopes(case.scope), "{url}");
        let mut known: BTreeSet<&str> = expected.iter().map(|(name, _)| *name).collect();
        known.extend(["state", "scope"]);
        if case.pkce {
            assert_eq!(parameter(&url, "code_challenge_method").as_deref(), Some("S256"), "{url}");
            assert_eq!(parameter(&url, "code_challenge").unwrap().len(), 43, "{url}");
            known.extend(["code_challenge", "code_challenge_method"]);
        }
        let unknown: Vec<_> = url.query_pairs().filter(|(name, _)| !known.contains(&**name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        OK.to_owned()
    }

    async fn callback(&self) -> String {
        if self.case.pkce {
            // From here on the provider insists on it.
            self.world.control_app(self.case.app, &json!({"pkce": "required"})).await;
        }
        self.connect().await;
        let connection = self.world.connection(self.case.id).await;
        assert_eq!((&connection["status"], &connection["scopesMissing"]), (&json!("active"), &json!([])));
        assert_eq!(connection["hasRefreshToken"], self.case.lifetime.is_some(), "{connection}");
        let token = self.world.of(&self.path("/token")).await.expect(200).json();
        assert_eq!(token["expires_at"].is_string(), self.case.lifetime.is_some(), "{token}");
        assert!(self.works(token["access_token"].as_str().unwrap()).await);
        OK.to_owned()
    }

    async fn identity(&self) -> String {
        let case = self.case;
        let (id, name) = case.account;
        let account = json!({"id": id, "name": name});
        let shown = async || self.world.connection(case.id).await["account"].clone();
        let Some(needed) = case.account_needs else {
            assert_eq!(shown().await, account);
            return OK.to_owned();
        };
        assert_eq!(shown().await, Value::Null, "without {needed} nobody asks");
        assert!(self.world.rows(case.app, "userinfo").await.is_empty());
        self.world.connect_by(&format!("{}&scopes={},{needed}", self.query(), case.scope)).await;
        assert_eq!(shown().await, account);
        format!("ok, with `{needed}`")
    }

    async fn refresh(&self) -> String {
        let (case, world) = (self.case, &self.world);
        let first = self.token().await;
        let force = async || world.post_of(&self.path("/refresh"), &json!({})).await;
        let Some(lifetime) = case.lifetime else {
            assert_eq!(force().await.problem(), (409, "no_refresh_token".to_owned()));
            world.pass(Duration::from_hours(24 * 300));
            assert_eq!(self.token().await, first);
            assert_eq!(world.refreshes(case.app).await.0, 0);
            return "none: no refresh token".to_owned();
        };
        force().await.expect(200);
        let mut last = self.token().await;
        assert_ne!(last, first);
        assert!(self.works(&last).await);
        // What rotated is kept: each of these needs the refresh token of the one before it.
        for _ in 0..2 {
            world.pass(lifetime + Duration::from_mins(1));
            let next = self.token().await;
            assert_ne!(next, last);
            assert!(self.works(&next).await);
            last = next;
        }
        assert_eq!(world.refreshes(case.app).await, (3, true), "each once, none of them used up");
        let rows = world.rows(case.app, "token").await;
        let rotated = rows.iter().filter(|row| row["rotated"] == true).count();
        assert_eq!(rotated, if case.rotates { 3 } else { 0 }, "{rows:?}");
        if case.rotates { "ok, rotated".to_owned() } else { OK.to_owned() }
    }

    async fn revoke(&self) -> String {
        let case = self.case;
        let token = self.token().await;
        let told = disconnect(&self.world, case.id).await.expect(200).json();
        assert_eq!(told["connection"]["status"], "disconnected", "{told}");
        let calls = self.world.rows(case.app, "revoke").await;
        if !case.revokes {
            assert_eq!((&told["revocation"], calls.len()), (&json!("unsupported"), 0));
            assert!(self.works(&token).await);
            return "none: not documented".to_owned();
        }
        assert_eq!((&told["revocation"], calls.len()), (&json!("succeeded"), 1), "{calls:?}");
        assert!(!self.works(&token).await, "it is dead at the provider");
        OK.to_owned()
    }

    async fn validated(&self) -> Value {
        let path = self.path("/validate");
        self.world.post_of(&path, &json!({})).await.expect(200).json()["outcome"].clone()
    }

    async fn validate(&self) -> String {
        self.connect().await;
        assert_eq!(self.validated().await, "valid");
        self.end_the_grant().await;
        // A refused token is refreshed once; where that tells of the end, the person is needed.
        let expected = if self.case.tells_death { "reconnect_required" } else { "invalid" };
        assert_eq!(self.validated().await, expected);
        self.begin_again().await;
        OK.to_owned()
    }

    async fn begin_again(&self) {
        self.world.control_app(self.case.app, &json!({"clockOffset": 0})).await;
        disconnect(&self.world, self.case.id).await;
    }

    async fn dead(&self) -> String {
        let (case, world) = (self.case, &self.world);
        self.connect().await;
        let token = self.token().await;
        self.end_the_grant().await;
        let Some(lifetime) = case.lifetime else {
            // It has no end to wait for: the product tells that the provider refused it.
            let answer = world.reject(case.id, &token).await;
            assert_eq!(answer.problem(), (409, "reconnect_required".to_owned()), "{answer:?}");
            return "ok, when it is reported".to_owned();
        };
        world.pass(lifetime + Duration::from_mins(1));
        let path = self.path("/token");
        if !case.tells_death {
            assert_eq!(world.of(&path).await.problem(), (503, "provider_unavailable".to_owned()));
            assert_eq!(world.connection(case.id).await["status"], "expired");
            return "none: its errors have no code".to_owned();
        }
        assert_eq!(world.of(&path).await.problem(), (409, "reconnect_required".to_owned()));
        let connection = world.connection(case.id).await;
        assert_eq!(
            (&connection["status"], &connection["reason"]),
            (&json!("broken"), &json!("grant_revoked"))
        );
        let (asked, _) = world.refreshes(case.app).await;
        assert_eq!(world.of(&path).await.problem().0, 409);
        assert_eq!(world.refreshes(case.app).await.0, asked, "it is not asked again");
        OK.to_owned()
    }
}
