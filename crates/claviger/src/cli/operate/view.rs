//! What commands read of the API's answers.

use model::Timestamp;
use serde::Deserialize;

use crate::cli::screen::Mark;
use crate::cli::times;

/// A connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    pub(super) integration: String,
    pub(super) label: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) account: Option<Account>,
    pub(super) scopes: Vec<String>,
    pub(super) scopes_missing: Vec<String>,
    pub(super) scopes_drift: Vec<String>,
    pub(super) has_refresh_token: bool,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) connected_at: Timestamp,
    pub(super) connected_by: String,
    pub(super) refreshed_at: Option<Timestamp>,
    pub(super) refresh_due_at: Option<Timestamp>,
    pub(super) grant_ends_at: Option<Timestamp>,
    pub(super) disconnected_at: Option<Timestamp>,
    pub(super) disconnected_by: Option<String>,
    pub(super) last_error: Option<String>,
}

/// An account at a provider.
#[derive(Deserialize)]
pub(super) struct Account {
    id: String,
    name: Option<String>,
}

impl Account {
    pub(super) fn said(&self) -> String {
        self.name.as_deref().unwrap_or(&self.id).to_owned()
    }
}

impl Connection {
    pub(super) fn name(&self) -> String {
        named(&self.integration, &self.label)
    }

    pub(super) fn mark(&self) -> Mark {
        mark(&self.status)
    }

    /// The state in words, with whose account it is or why it is broken.
    pub(super) fn state(&self) -> String {
        let account =
            || self.account.as_ref().map(|account| format!(" as {}", account.said())).unwrap_or_default();
        match self.status.as_str() {
            "active" => format!("connected{}", account()),
            "expiring" => format!("connected{}; its refresh is due", account()),
            "expired" => format!("expired{}; the next read refreshes it", account()),
            "broken" => format!(
                "broken ({}); the person must connect again",
                self.reason.as_deref().unwrap_or("unknown")
            ),
            other => other.replace('_', " "),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.status != "disconnected"
    }

    /// How old the access token is, and how long it still lives.
    pub(super) fn token(&self, now: Timestamp) -> String {
        let age = times::span(now.since(self.refreshed_at.unwrap_or(self.connected_at)));
        let end = match self.expires_at {
            None => "of unknown end".to_owned(),
            Some(end) if end <= now => format!("ended {}", times::relative(now, end)),
            Some(end) => format!("ends {}", times::relative(now, end)),
        };
        let refresh = if self.has_refresh_token { "refresh token: yes" } else { "refresh token: no" };
        format!("token {age} old, {end}; {refresh}")
    }

    pub(super) fn granted(&self) -> String {
        scopes(&self.scopes)
    }
}

/// The integration, with the label where it tells something.
pub(super) fn named(integration: &str, label: &str) -> String {
    match label {
        "default" => integration.to_owned(),
        label => format!("{integration} ({label})"),
    }
}

/// Scopes, or that there are none.
pub(super) fn scopes(scopes: &[String]) -> String {
    if scopes.is_empty() { "none".to_owned() } else { scopes.join(" ") }
}

/// What a state means.
pub(super) fn mark(status: &str) -> Mark {
    match status {
        "active" => Mark::Good,
        "expiring" | "expired" => Mark::Waiting,
        "broken" => Mark::Bad,
        _ => Mark::None,
    }
}
