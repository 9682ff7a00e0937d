//! Every call that came, with what became of it. No row holds a code, a token or a secret: only words of our own, ids
//! of registered apps, and the accounts and scopes of what was granted.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

use crate::call::Endpoint;
use crate::clock;

/// How many rows are kept; the oldest goes first.
const MAX_ROWS: usize = 10_000;

/// One call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// When it was worked on; the control's clock offset does not move it.
    #[serde(rename = "at", serialize_with = "rfc3339")]
    at_ms: i64,
    endpoint: Endpoint,
    /// `authorization_code` or `refresh_token`, at the token endpoint.
    pub(crate) grant_type: Option<&'static str>,
    /// `ok`, `asked` (the consent page was shown), `approved`, an OAuth error code, or `fail:` and the failure's kind.
    pub(crate) outcome: String,
    /// The HTTP status; `null` while a call hangs or when nobody waited for its end.
    pub(crate) status: Option<u16>,
    /// The app, where it is a registered one.
    pub(crate) client_id: Option<String>,
    /// Whose account it was about: the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Vec<String>>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'static str>,
}

impl Row {
    /// A call that has just been read.
    pub(crate) fn new(at_ms: i64, endpoint: Endpoint) -> Self {
        Self {
            at_ms,
            endpoint,
            grant_type: None,
            outcome: "ok".to_owned(),
            status: None,
            client_id: None,
            account: None,
            scopes: None,
            description: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn rfc3339<S: Serializer>(ms: &i64, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str(&clock::rfc3339(*ms))
}

/// The last rows, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<Row>);

impl Log {
    /// Remembers a call.
    pub(crate) fn push(&mut self, row: Row) {
        if self.0.len() == MAX_ROWS {
            self.0.pop_front();
        }
        self.0.push_back(row);
    }

    /// The rows, oldest first.
    pub(crate) fn rows(&self) -> &VecDeque<Row> {
        &self.0
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
}
