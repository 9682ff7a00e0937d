//! Every call that came, with what became of it. No row holds a code, a token or a secret: only words of our own, ids
//! of registered apps, and the accounts and scopes of what was granted.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

use crate::call::Endpoint;
use crate::clock;
use crate::stripe;

/// How many rows are kept; the oldest goes first.
const MAX_ROWS: usize = 10_000;

/// One call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// When it was worked on; the control's clock offset does not move it.
    #[serde(rename = "at", serialize_with = "rfc3339")]
    at_ms: i64,
    endpoint: Called,
    /// `authorization_code` or `refresh_token`, at the token endpoint.
    pub(crate) grant_type: Option<&'static str>,
    /// `ok`, `asked` (the consent page was shown), `approved`, an OAuth error code, or `fail:` and the failure's kind.
    pub(crate) outcome: String,
    /// With `fail:reset_after`, what the outcome of the work was, of which the client hears nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) work: Option<String>,
    /// The HTTP status; `null` when there is no answer: the call hangs, or its connection is reset.
    pub(crate) status: Option<u16>,
    #[serde(flatten)]
    pub(crate) refresh: RefreshNotes,
    /// The profile that was called, where it was not the sandbox itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<&'static str>,
    /// The host that was played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// The app, where it is a registered one.
    pub(crate) client_id: Option<String>,
    /// Whose account it was about: the address; of Stripe's the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Vec<String>>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'static str>,
    #[serde(flatten)]
    pub(crate) stripe: Option<StripeNotes>,
}

/// What was called, or what called out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Called {
    OAuth(Endpoint),
    Stripe(stripe::Endpoint),
    /// An event on its way out.
    Out(&'static str),
}

impl Called {
    /// A delivery of Stripe's webhooks.
    pub(crate) const STRIPE_WEBHOOK: Self = Self::Out("stripe.webhook");
}

impl From<Endpoint> for Called {
    fn from(endpoint: Endpoint) -> Self {
        Self::OAuth(endpoint)
    }
}

impl From<stripe::Endpoint> for Called {
    fn from(endpoint: stripe::Endpoint) -> Self {
        Self::Stripe(endpoint)
    }
}

/// What a row of Stripe's has of its own.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StripeNotes {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Of a POST: the first eight octets of the key's SHA-256, so that two keys can be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_key: Option<String>,
    /// The answer was that of an earlier request with this key.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<&'static str>,
}

impl StripeNotes {
    /// Of a call that came.
    pub(crate) fn of(method: &str, request_id: &str) -> Self {
        Self { method: Some(method.to_owned()), request_id: Some(request_id.to_owned()), ..Self::default() }
    }

    /// Of an event that was sent.
    pub(crate) fn of_event(id: &str, kind: &'static str) -> Self {
        Self { event: Some(id.to_owned()), event_type: Some(kind), ..Self::default() }
    }
}

/// What a refresh did. What is `false` is left out of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefreshNotes {
    /// A new refresh token was issued.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) rotated: bool,
    /// A spent refresh token was presented, also where a leeway lets it work once more. Not seen where nothing was
    /// worked on, nor of a token that its family has forgotten or that ended with its family.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) reuse: bool,
    /// The reuse ended the family.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) family_revoked: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Row {
    /// A call that has just been read.
    pub(crate) fn new(at_ms: i64, endpoint: impl Into<Called>) -> Self {
        Self {
            at_ms,
            endpoint: endpoint.into(),
            grant_type: None,
            outcome: "ok".to_owned(),
            work: None,
            status: None,
            refresh: RefreshNotes::default(),
            profile: None,
            host: None,
            client_id: None,
            account: None,
            scopes: None,
            description: None,
            stripe: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn rfc3339<S: Serializer>(ms: &i64, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str(&clock::rfc3339(*ms))
}

/// Sums over every row since the last reset, the forgotten ones included. They are of the token endpoint alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    /// Calls with `grant_type=refresh_token`, whatever became of them.
    refreshes: u64,
    /// Those that yielded a new refresh token, delivered or not.
    rotated: u64,
    /// Those that presented a spent refresh token.
    reuse: u64,
    /// Those whose reuse ended a family.
    families_revoked: u64,
    /// Answers, to codes too, whose work was done and that were not delivered: the connection was reset by
    /// `reset_after`, or the client went away while `latency` held the answer back. An answer that was written counts
    /// as delivered, even if it was lost on its way; a call that hangs does no work.
    answers_lost: u64,
}

/// The last rows, oldest first, and the totals of all.
#[derive(Debug, Default)]
pub(crate) struct Log {
    rows: VecDeque<Row>,
    totals: Totals,
}

impl Log {
    /// Remembers a call.
    pub(crate) fn push(&mut self, row: Row) {
        let RefreshNotes { rotated, reuse, family_revoked } = row.refresh;
        let totals = &mut self.totals;
        totals.refreshes += u64::from(row.grant_type == Some("refresh_token"));
        totals.rotated += u64::from(rotated);
        totals.reuse += u64::from(reuse);
        totals.families_revoked += u64::from(family_revoked);
        if self.rows.len() == MAX_ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }

    /// Counts an answer that nobody got although its work was done.
    pub(crate) fn lose_answer(&mut self, endpoint: Endpoint) {
        self.totals.answers_lost += u64::from(endpoint == Endpoint::Token);
    }

    /// The sums since the last reset.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// The rows, oldest first.
    pub(crate) fn rows(&self) -> &VecDeque<Row> {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_forgets_its_oldest_row_first() {
        let mut log = Log::default();
        for ms in 0..=i64::try_from(MAX_ROWS).unwrap() {
            log.push(Row::new(ms, Endpoint::Token));
        }
        assert_eq!(log.rows().len(), MAX_ROWS);
        assert_eq!(log.rows().front().unwrap().at_ms, 1);
    }

    #[test]
    fn the_totals_remember_what_the_rows_forget() {
        let mut log = Log::default();
        let count = MAX_ROWS + 5;
        for _ in 0..count {
            let refresh = RefreshNotes { rotated: true, reuse: true, family_revoked: false };
            let grant_type = Some("refresh_token");
            log.push(Row { grant_type, refresh, ..Row::new(0, Endpoint::Token) });
        }
        let count = u64::try_from(count).unwrap();
        let expected = Totals { refreshes: count, rotated: count, reuse: count, ..Totals::default() };
        assert_eq!(log.totals(), expected);
    }
}
