//! What is remembered of every security-relevant act: who, on what, with which outcome, and why. Never a secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ApiKeyId, ClientId, SubjectId, Timestamp, UserId};

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// The product's backend, by this key.
    ApiKey(ApiKeyId),
    /// A person's browser, on behalf of this subject.
    Browser(Option<SubjectId>),
    /// A person who is signed in at our authorize page.
    User(UserId),
    /// An application.
    Application(ClientId),
    /// Whoever runs Claviger, at the command line or by its configuration.
    Operator,
    /// Claviger itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "{id}"),
            Self::Browser(Some(subject)) => write!(f, "browser of {subject}"),
            Self::Browser(None) => f.write_str("browser"),
            Self::User(id) => write!(f, "{id}"),
            Self::Application(id) => write!(f, "application {id}"),
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Success,
    /// Tried, and did not work.
    Failure,
    /// Not allowed.
    Denied,
}

impl Outcome {
    /// The outcome's word in rows and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// The nouns whose events have an integration as their target, unless a fact names it.
const TARGETS_INTEGRATIONS: [&str; 5] = ["account", "attempt", "connection", "integration", "revocation"];

/// One entry of the audit trail. Serialised, its members stand in the order of the declaration; that text is what the
/// chain's hash covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What, as `noun.deed`: `connection.created`, `attempt.refused` …
    pub event: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Who.
    pub actor: Actor,
    /// The subject whose affair it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// What it was done to: an integration, a connection, a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Why, as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Facts that belong to this kind of event alone.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub facts: Map<String, Value>,
}

impl AuditEvent {
    /// An event with nothing but the essentials.
    pub fn new(at: Timestamp, event: &str, outcome: Outcome, actor: Actor) -> Self {
        Self {
            at,
            event: event.to_owned(),
            outcome,
            actor,
            subject: None,
            target: None,
            reason: None,
            facts: Map::new(),
        }
    }

    /// Names the subject.
    #[must_use]
    pub fn subject(mut self, subject: &SubjectId) -> Self {
        self.subject = Some(subject.clone());
        self
    }

    /// Names the target.
    #[must_use]
    pub fn target(mut self, target: impl fmt::Display) -> Self {
        self.target = Some(target.to_string());
        self
    }

    /// Names the reason.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// The integration whose affair it is: a fact of that name, or the target itself where it names one.
    pub fn integration(&self) -> Option<&str> {
        let fact = self.facts.get("integration").and_then(Value::as_str);
        let noun = self.event.split('.').next().unwrap_or_default();
        fact.or_else(|| self.target.as_deref().filter(|_| TARGETS_INTEGRATIONS.contains(&noun)))
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_knows_its_integration_by_fact_or_target() {
        let event = |name| AuditEvent::new(Timestamp::from_unix_ms(0), name, Outcome::Success, Actor::System);
        let cases = [
            (event("connection.refreshed").target("github"), Some("github")),
            (event("connection.created").target("con_1").fact("integration", "zoho"), Some("zoho")),
            (event("api_key.created").target("key_1"), None),
            (event("connection.refreshed"), None),
        ];
        for (event, expected) in cases {
            assert_eq!(event.integration(), expected, "{event:?}");
        }
    }
}
