//! Events: what happened, as `GET /v1/events` tells it and as webhooks carry it.

use serde_json::{Map, Value, json};

use super::call::Work;
use super::problem::Problem;
use super::shelf::new_id;
use super::{Stripe, listing};

/// The version of the API whose published description the answers follow.
pub(super) const API_VERSION: &str = "2023-08-16";

/// Something that happened.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) platform: String,
    /// The connected account that it happened to; `None` for the platform itself.
    pub(super) account: Option<String>,
    pub(super) kind: &'static str,
    object: Value,
}

/// What brought it about.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause {
    pub(super) request_id: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) now: i64,
}

impl Event {
    /// As Stripe writes it.
    pub(super) fn json(&self) -> &Value {
        &self.object
    }
}

impl Stripe {
    /// Records an event, to be sent where the control says.
    pub(super) fn happen(
        &mut self,
        cause: &Cause,
        platform: &str,
        account: Option<&str>,
        kind: &'static str,
        data: &Value,
    ) -> String {
        let id = new_id("evt_");
        let listening = self.control.webhook.as_ref().is_some_and(|webhook| webhook.platform == platform);
        let mut object = json!({
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": cause.now,
            "data": data,
            "livemode": false,
            "pending_webhooks": u8::from(listening),
            "request": {"id": cause.request_id, "idempotency_key": cause.idempotency_key},
            "type": kind,
        });
        if let Some(account) = account {
            object["account"] = json!(account);
        }
        let (platform, account) = (platform.to_owned(), account.map(str::to_owned));
        self.events.insert(id.clone(), Event { platform, account, kind, object });
        self.enqueue(&id);
        id
    }
}

/// The members of `after` that differ, with what they were.
pub(super) fn previous_attributes(before: &Value, after: &Value) -> Value {
    let empty = Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    changed.map(|(name, _)| (name.clone(), before.get(name).cloned().unwrap_or(Value::Null))).collect()
}

/// `GET /v1/events/{id}`: those of who asks; of a connected account only with `Stripe-Account`.
pub(super) fn retrieve(work: &mut Work<'_>) -> Result<Value, Problem> {
    let (id, actor) = (work.id, work.actor);
    let found = work.stripe.events.get(id).filter(|event| actor.sees(event));
    found.map(|event| event.object.clone()).ok_or_else(|| Problem::no_such("event", id, "id"))
}

/// `GET /v1/events`.
pub(super) fn list(work: &mut Work<'_>) -> Result<Value, Problem> {
    let kind = work.form.text("type")?;
    let actor = work.actor;
    let seen = work.stripe.events.newest_first();
    let seen = seen.filter(|(_, event)| actor.sees(event) && kind.is_none_or(|kind| kind == event.kind));
    listing::page(work.form, "/v1/events", seen, |event| event.object.clone())
}
