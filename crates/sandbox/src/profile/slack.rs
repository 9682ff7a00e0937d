//! Slack (OAuth v2): a bot's and a user's tokens from one consent, each pair refreshed alone.
//!
//! Every answer has status 200 and says by `ok` how it went. The answer to a code nests the user's pair in
//! `authed_user`; the answer to a refresh is flat, and `token_type` tells whose it is.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::answer::{OAuthError, json_response};
use crate::call::Call;
use crate::consent::Prefixes;
use crate::facts::{Condition, Facts, Issued};
use crate::parameters::Parameters;
use crate::profile::exchange::{self, Exchanged};
use crate::profile::inquiry::{Inquiry, Occasion};
use crate::profile::permission::{self, Permission};
use crate::profile::route::{Deed, Host, Proof, Route};
use crate::profile::{Provider, Wish, Written, identity, scopes};
use crate::settings::Settings;

const HOST: Host = Host::Is("slack.com");

static ROUTES: [Route; 4] = [
    Route::authorize(HOST, "/oauth/v2/authorize"),
    Route::new(Method::POST, HOST, "/api/oauth.v2.access", Deed::Token, Proof::Client),
    Route::new(Method::POST, HOST, "/api/auth.test", Deed::Identity, Proof::Bearer),
    Route::new(Method::POST, HOST, "/api/auth.revoke", Deed::Revoke, Proof::Bearer),
];

const BOT: Prefixes = Prefixes { access_token: "xoxe.xoxb-1-", refresh_token: "xoxe-1-" };
const USER: Prefixes = Prefixes { access_token: "xoxe.xoxp-1-", refresh_token: "xoxe-1-" };

const EXPIRED: OAuthError =
    OAuthError::new(StatusCode::UNAUTHORIZED, "token_expired", "The access token has expired.");
const REVOKED: OAuthError =
    OAuthError::new(StatusCode::UNAUTHORIZED, "token_revoked", "The access token was revoked.");

/// Slack.
pub(crate) struct Slack;

impl Provider for Slack {
    fn title(&self) -> &'static str {
        "Slack"
    }

    fn routes(&self) -> &'static [Route] {
        &ROUTES
    }

    fn permissions(&self) -> &'static [Permission] {
        permission::SLACK
    }

    fn settings(&self) -> Value {
        json!({
            "accessTokenTtl": 43_200, "refreshTokenTtl": 315_360_000, "codeTtl": 600, "rotation": "strict",
            "revokeFamilyOnReuse": false, "scopeSeparator": ",", "clientAuth": "any", "sendIss": false,
        })
    }

    fn prefixes(&self) -> Prefixes {
        BOT
    }

    fn place(&self, _host: &str) -> &'static str {
        "slack"
    }

    fn knows_only_codes(&self) -> bool {
        true
    }

    fn implies_code(&self) -> bool {
        true
    }

    /// `scope` is the bot's, `user_scope` the user's; with the latter alone there is no bot.
    fn wish(
        &self,
        parameters: &Parameters,
        settings: &Settings,
    ) -> Result<Wish, (&'static str, &'static str)> {
        let bot = scopes(parameters, "scope", &settings.scope_separator)?;
        let user = scopes(parameters, "user_scope", &settings.scope_separator)?;
        match (bot.is_empty(), user.is_empty()) {
            (true, true) => Err(("invalid_scope", "Both scope and user_scope are missing.")),
            (true, false) => Ok(Wish { scopes: user, prefixes: USER, second: None }),
            (false, true) => Ok(Wish { scopes: bot, prefixes: BOT, second: None }),
            (false, false) => Ok(Wish { scopes: bot, prefixes: BOT, second: Some((user, USER)) }),
        }
    }

    fn answer(&self, call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Response, OAuthError> {
        match inquiry.deed {
            Deed::Token => {
                let exchanged = exchange::exchange(call, inquiry)?;
                let body = tokens(exchanged, call.settings);
                Ok(json_response(StatusCode::OK, &Value::Object(body)))
            }
            Deed::Revoke => {
                open(call, inquiry)?;
                call.grants.end_family(inquiry.token()?);
                Ok(json_response(StatusCode::OK, &json!({"ok": true, "revoked": true})))
            }
            _ => {
                let facts = open(call, inquiry)?;
                Ok(json_response(StatusCode::OK, &who(&facts)))
            }
        }
    }

    fn refuse(&self, occasion: &Occasion<'_>, error: OAuthError) -> Written {
        let code = match error.code {
            _ if error == OAuthError::wrong_secret() => "bad_client_secret",
            _ if error == OAuthError::redirect_uri_mismatch() => "bad_redirect_uri",
            "invalid_client" => "invalid_client_id",
            "invalid_grant" if occasion.is_refresh() => "invalid_refresh_token",
            "invalid_grant" => "invalid_code",
            "unsupported_grant_type" => "invalid_grant_type",
            "too_many_requests" => "ratelimited",
            "token_missing" => "not_authed",
            "invalid_token" => "invalid_auth",
            "invalid_request" => "invalid_arguments",
            other => other,
        };
        let kept = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::TOO_MANY_REQUESTS].contains(&error.status);
        let status = if kept { error.status } else { StatusCode::OK };
        Written { code, response: json_response(status, &json!({"ok": false, "error": code})) }
    }
}

fn tokens(Exchanged { first, second, refreshed }: Exchanged, settings: &Settings) -> Map<String, Value> {
    let consent = first.consent.clone();
    let is_bot = consent.terms.prefixes == BOT;
    let mut body = Map::new();
    if is_bot {
        body.insert("bot_user_id".to_owned(), Value::from(bot_user_id()));
    }
    if refreshed {
        body.extend(pair(first, settings));
    } else {
        let mut person =
            Map::from_iter([("id".to_owned(), json!(identity::capitals("U", &consent.account)))]);
        let user = if is_bot {
            body.extend(pair(first, settings));
            second
        } else {
            Some(first)
        };
        person.extend(user.map(|user| pair(user, settings)).unwrap_or_default());
        body.insert("authed_user".to_owned(), Value::Object(person));
    }
    let always = [
        ("ok", json!(true)),
        ("app_id", json!("A0SANDBOX")),
        ("team", json!({"id": "T0SANDBOX", "name": "Sandbox"})),
        ("enterprise", Value::Null),
        ("is_enterprise_install", json!(false)),
    ];
    body.extend(always.map(|(name, value)| (name.to_owned(), value)));
    body
}

fn pair(issued: Issued, settings: &Settings) -> Map<String, Value> {
    let token_type = if issued.consent.terms.prefixes == BOT { "bot" } else { "user" };
    exchange::members(issued, token_type, settings)
}

fn bot_user_id() -> &'static str {
    "U0SANDBOXBOT"
}

fn who(facts: &Facts) -> Value {
    let account = &facts.consent.account;
    let team = json!({
        "ok": true, "url": "https://sandbox.slack.com/", "team": "Sandbox", "team_id": "T0SANDBOX",
        "is_enterprise_install": false,
    });
    let mut body = team;
    if facts.consent.terms.prefixes == BOT {
        body["user"] = json!("claviger");
        body["user_id"] = json!(bot_user_id());
        body["bot_id"] = json!("B0SANDBOXBOT");
    } else {
        body["user"] = json!(identity::handle(account));
        body["user_id"] = json!(identity::capitals("U", account));
    }
    body
}

/// An access token's facts, or what became of it.
fn open(call: &mut Call<'_>, inquiry: &Inquiry<'_>) -> Result<Facts, OAuthError> {
    match call.grants.condition_of(inquiry.token()?, call.place, call.now) {
        Condition::Expired => Err(EXPIRED),
        Condition::Revoked => Err(REVOKED),
        Condition::Living | Condition::Unknown => exchange::open(call, inquiry),
    }
}
