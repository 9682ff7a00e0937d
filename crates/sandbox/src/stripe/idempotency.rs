//! Idempotency keys: the first answer of a key is kept for a day and given again.

use aws_lc_rs::digest;
use axum::http::StatusCode;
use data_encoding::HEXLOWER;

use super::problem::Problem;
use super::shelf::Shelf;

/// How long a key keeps its answer.
const LIFETIME_SECONDS: i64 = 24 * 3600;
/// Stripe's limit.
const MAX_KEY: usize = 255;

/// An answer that may be given again.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) request_id: String,
}

#[derive(Debug)]
struct Entry {
    at: i64,
    /// Method, path, account and parameters.
    request: String,
    /// `None` while nothing is known yet, as of a call that hangs.
    kept: Option<Kept>,
    under_way: bool,
}

/// Every key of every platform.
#[derive(Debug, Default)]
pub(super) struct Idempotency(Shelf<Entry>);

/// A key of a platform, as the entries are found by it.
#[derive(Debug, Clone)]
pub(super) struct Claim(String);

impl Claim {
    /// Refuses a key that is too long.
    pub(super) fn of(platform: &str, key: &str) -> Result<Self, Problem> {
        if key.is_empty() || key.chars().count() > MAX_KEY {
            return Err(Problem::invalid("An idempotency key has 1 to 255 characters."));
        }
        Ok(Self(format!("{platform} {key}")))
    }
}

/// What the log shows of a key: enough to tell two apart.
pub(super) fn fingerprint(key: &str) -> String {
    HEXLOWER.encode(&digest::digest(&digest::SHA256, key.as_bytes()).as_ref()[..8])
}

impl Idempotency {
    /// The answer that is kept for this request, if it is not the first with its key.
    pub(super) fn find(&mut self, claim: &Claim, request: &str, now: i64) -> Result<Option<Kept>, Problem> {
        let Some(entry) = self.0.get(&claim.0) else { return Ok(None) };
        if now - entry.at >= LIFETIME_SECONDS && !entry.under_way {
            self.0.remove(&claim.0);
            return Ok(None);
        }
        if entry.request != request {
            return Err(Problem::of_idempotency(
                "This idempotency key was first used with another request: \
                 the same key needs the same endpoint and the same parameters."
                    .to_owned(),
            ));
        }
        if entry.under_way {
            return Err(Problem::key_in_use());
        }
        Ok(entry.kept.clone())
    }

    /// Remembers the first request of a key, which is under way until [`Idempotency::finish`].
    pub(super) fn begin(&mut self, claim: &Claim, request: String, kept: Option<Kept>, now: i64) {
        self.0.insert(claim.0.clone(), Entry { at: now, request, kept, under_way: true });
    }

    /// The answer was given, or its client went away.
    pub(super) fn finish(&mut self, claim: &Claim) {
        match self.0.get_mut(&claim.0) {
            Some(entry) if entry.kept.is_some() => entry.under_way = false,
            Some(_) => drop(self.0.remove(&claim.0)),
            None => {}
        }
    }
}
