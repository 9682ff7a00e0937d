//! How often anybody may try. What is counted can be guessed (addresses, logins), so counters have keyed hashes for names.
//!
//! - **Passwords** are counted before they are looked at, in counters that all replicas share, and given back when they were right:
//!   guesses that come at the same time don't pass together, and whoever knows the password is never locked out by their own work.
//! - **Proofs of applications** come with every refresh, often many at once, and take no time to check. They are counted when they
//!   were wrong, in the memory of this process: a shared counter would cost more than what it guards, for such secrets are long
//!   and random. One that is right is never refused: others may share its address, and would otherwise lock it out.
//!
//! Each kind has a memory of its own, so that what strangers can fill is never what others are counted in.

use std::time::Duration;

use model::Timestamp;
use store::limits::{Memory, Quota, Verdict};
use vault::LimitKey;

use crate::{Error, Grant, Result};

/// What is limited, and how.
#[derive(Debug, Clone, Copy)]
pub struct Policies {
    /// Wrong passwords for one account, and links mailed to it.
    pub login_account: Quota,
    /// Wrong passwords from one address, and links asked for there.
    pub login_address: Quota,
    /// Wrong proofs of one application from one address.
    pub client: Quota,
    /// Wrong proofs from one address.
    pub client_address: Quota,
    /// Authorization requests from one address.
    pub authorize: Quota,
    /// Introspections of one application.
    pub introspect: Quota,
    /// Applications that register themselves from one address.
    pub register: Quota,
    /// Documents of applications that are read because somebody comes from one address.
    pub document: Quota,
}

/// How often one code challenge is nothing to wonder about: people reload pages.
const CHALLENGES: u32 = 5;
const CHALLENGE_WINDOW: Duration = Duration::from_hours(1);
/// How many challenges are known at once; beyond that one that comes again may go unnoticed.
const CHALLENGES_KNOWN: usize = 10_000;

/// A password that counts until it turns out to be right.
pub(crate) struct Try {
    keys: [LimitKey; 2],
    at: Timestamp,
}

/// What this process counts by itself.
pub(crate) struct Counters {
    proofs: Memory,
    arrivals: Memory,
    introspections: Memory,
    documents: Memory,
    challenges: Memory,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            proofs: Memory::default(),
            arrivals: Memory::default(),
            introspections: Memory::default(),
            documents: Memory::default(),
            challenges: Memory::new(CHALLENGES_KNOWN),
        }
    }
}

impl Counters {
    /// Forgets at most `limit` windows of each kind that are over.
    pub(crate) fn forget(&self, now: Timestamp, limit: u32) -> u64 {
        let all = [&self.proofs, &self.arrivals, &self.introspections, &self.documents, &self.challenges];
        all.into_iter().map(|memory| memory.forget(now, limit)).sum()
    }
}

fn let_through(verdict: Verdict) -> Result<()> {
    match verdict {
        Verdict::Allowed { .. } => Ok(()),
        Verdict::Refused { retry_after } => Err(Error::TooOften { retry_after }),
    }
}

impl Grant {
    fn counter(&self, policy: &str, counted: &[&str]) -> LimitKey {
        // No part has a NUL character.
        self.parts.limit_keys.key(policy, counted.join("\0").as_bytes())
    }

    /// A password for an account, whichever back ends are asked.
    pub(crate) async fn try_password(&self, login: &str, address: &str) -> Result<Try> {
        let policies = &self.parts.settings.limits;
        let asked = [
            (self.counter("login-account", &[login]), policies.login_account),
            (self.counter("login-address", &[address]), policies.login_address),
        ];
        let at = self.now();
        let_through(self.store().limits.hit_all(&asked, at).await?)?;
        Ok(Try { keys: asked.map(|(key, _)| key), at })
    }

    /// A link that is to be mailed.
    pub(crate) async fn limit_links(&self, login: &str, address: &str) -> Result<()> {
        let policies = &self.parts.settings.limits;
        let asked = [
            (self.counter("link-account", &[login]), policies.login_account),
            (self.counter("link-address", &[address]), policies.login_address),
        ];
        let_through(self.store().limits.hit_all(&asked, self.now()).await?)
    }

    /// The password was right, and does not count.
    pub(crate) async fn was_right(&self, tried: &Try) -> Result<()> {
        Ok(self.store().limits.give_back(&tried.keys, tried.at).await?)
    }

    /// A proof was wrong: of this application, or of one that nobody knows.
    pub(crate) fn count_wrong_proof(&self, client_id: Option<&str>, address: &str) -> Result<()> {
        let policies = &self.parts.settings.limits;
        let of_address = (self.counter("client-address", &[address]), policies.client_address);
        let of_client = client_id.map(|id| (self.counter("client", &[id, address]), policies.client));
        let asked: Vec<_> = of_client.into_iter().chain([of_address]).collect();
        let_through(self.counters.proofs.count(&asked, self.now()))
    }

    /// An authorization request.
    pub(crate) fn limit_arrivals(&self, address: &str) -> Result<()> {
        let asked = [(self.counter("authorize", &[address]), self.parts.settings.limits.authorize)];
        let_through(self.counters.arrivals.count(&asked, self.now()))
    }

    /// An assertion of an application that nobody has looked at. As often as it may begin, it may go on.
    pub(crate) fn limit_assertions(&self, address: &str) -> Result<()> {
        let asked = [(self.counter("assertion", &[address]), self.parts.settings.limits.authorize)];
        let_through(self.counters.arrivals.count(&asked, self.now()))
    }

    /// An introspection.
    pub(crate) fn limit_introspection(&self, client_id: &str) -> Result<()> {
        let asked = [(self.counter("introspect", &[client_id]), self.parts.settings.limits.introspect)];
        let_through(self.counters.introspections.count(&asked, self.now()))
    }

    /// An application that registers itself. All replicas count together: what it leaves behind lies in the store.
    pub(crate) async fn limit_registrations(&self, address: &str) -> Result<()> {
        let asked = [(self.counter("register", &[address]), self.parts.settings.limits.register)];
        let_through(self.store().limits.hit_all(&asked, self.now()).await?)
    }

    /// A document that is read because of a request.
    pub(crate) fn limit_documents(&self, address: &str) -> Result<()> {
        let asked = [(self.counter("document", &[address]), self.parts.settings.limits.document)];
        let_through(self.counters.documents.count(&asked, self.now()))
    }

    /// Whether a challenge has come so often that it can't be a new one each time; said once an hour for one application.
    pub(crate) fn is_constant_challenge(&self, client_id: &str, challenge: &str) -> bool {
        let (Ok(often), Ok(once)) =
            (Quota::new(CHALLENGES, CHALLENGE_WINDOW), Quota::new(1, CHALLENGE_WINDOW))
        else {
            return false;
        };
        let (now, known) = (self.now(), &self.counters.challenges);
        let seen = [(self.counter("challenge", &[client_id, challenge]), often)];
        if known.look(&seen, now).is_allowed() {
            // Where the memory is full it goes unnoticed.
            let _unnoticed = known.count(&seen, now);
            return false;
        }
        known.count(&[(self.counter("challenge-told", &[client_id]), once)], now).is_allowed()
    }
}
