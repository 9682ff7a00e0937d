//! The audit trail: append-only, each entry chained to the last by hash.
//!
//! Every process that writes has a chain of its own, named by its [`WriterId`], so that replicas do not wait for each
//! other. The first entry of a chain is `chain.started`, and its fact `heads` lists the last hash of every chain that
//! has grown since it was last listed: that anchors the chains in each other, and a chain that was cut off at the end is
//! noticed too.
//!
//! `hash = SHA-256(previous hash ‖ entry)`, where the entry is the event's JSON exactly as the row holds it.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use model::{Actor, AuditEvent, IntegrationId, Outcome, SubjectId, Timestamp, WriterId};
use serde::{Deserialize, Serialize};
use vault::chain::{self, ChainHash};

use crate::{Error, Result};

/// One entry, as the row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The chain.
    pub writer: WriterId,
    /// Its place in the chain, from 1.
    pub sequence: i64,
    /// When, as the event says it too; the row has it for the order.
    pub at: Timestamp,
    /// The event's JSON; the hash covers exactly these octets.
    pub event: String,
    /// Whose affair it is, as the event says it too; the row has it to be found by. Entries of an old schema have none.
    pub subject: Option<String>,
    /// The integration, in the same way.
    pub integration: Option<String>,
    /// The hash of the entry before, [`chain::ROOT`] for the first.
    pub previous: ChainHash,
    /// The entry's own hash.
    pub hash: ChainHash,
}

impl AuditEntry {
    /// The entry for `event` after `head`; the first of the chain without one.
    pub(crate) fn after(writer: WriterId, head: Option<&Head>, event: &AuditEvent) -> Result<Self> {
        let at = event.at;
        let subject = event.subject.as_ref().map(ToString::to_string);
        let integration = event.integration().map(str::to_owned);
        let event = serde_json::to_string(event)
            .map_err(|error| Error::Corrupt { table: "audit", what: error.to_string() })?;
        let previous = head.map_or(chain::ROOT, |head| head.hash);
        let hash = chain::link(&previous, event.as_bytes());
        let sequence = head.map_or(0, |head| head.sequence) + 1;
        Ok(Self { writer, sequence, at, event, subject, integration, previous, hash })
    }

    /// The event.
    pub fn parsed(&self) -> Result<AuditEvent> {
        // serde_json's message may quote the text; its place is enough.
        serde_json::from_str(&self.event).map_err(|error| Error::Corrupt {
            table: "audit",
            what: format!(
                "entry {} of {} is no event (character {})",
                self.sequence,
                self.writer,
                error.column()
            ),
        })
    }

    /// Its hash as 64 hex digits.
    pub fn hash_hex(&self) -> String {
        HEXLOWER.encode(&self.hash)
    }

    /// Where it stands in the order of time.
    pub const fn position(&self) -> Position {
        Position { at: self.at, writer: self.writer, sequence: self.sequence }
    }

    /// The head that the chain has with this entry.
    pub(crate) const fn head(&self) -> Head {
        Head { writer: self.writer, sequence: self.sequence, hash: self.hash }
    }

    /// Whether the row is dated and found as its event says it: the hash covers only the latter.
    fn is_filed_right(&self) -> bool {
        let Ok(event) = self.parsed() else { return false };
        let is_so = |column: Option<&str>, said: Option<&str>| column.is_none_or(|text| said == Some(text));
        event.at == self.at
            && is_so(self.subject.as_deref(), event.subject.as_ref().map(SubjectId::as_str))
            && is_so(self.integration.as_deref(), event.integration())
    }

    /// The heads that the entry anchors; none unless it is a `chain.started`.
    fn anchors(&self) -> Vec<Head> {
        let event: Option<AuditEvent> = serde_json::from_str(&self.event).ok();
        let started = event.filter(|event| event.event == STARTED);
        let heads = started.and_then(|mut event| event.facts.remove("heads"));
        heads.and_then(|heads| serde_json::from_value(heads).ok()).unwrap_or_default()
    }
}

/// The event with which every chain begins.
const STARTED: &str = "chain.started";

/// The first event of a chain, anchoring the others: of their `heads` those that no first entry, of which `starts` has
/// all, anchors yet. So the trail grows with the number of restarts, not with its square.
pub(crate) fn started(at: Timestamp, mut heads: Vec<Head>, starts: &[AuditEntry]) -> AuditEvent {
    let anchored: HashSet<Head> = starts.iter().flat_map(AuditEntry::anchors).collect();
    heads.retain(|head| !anchored.contains(head));
    let heads = serde_json::to_value(heads).unwrap_or_default();
    AuditEvent::new(at, STARTED, Outcome::Success, Actor::System).fact("heads", heads)
}

/// Where an entry stands among those of all chains, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When.
    pub at: Timestamp,
    /// The chain.
    pub writer: WriterId,
    /// Its place in the chain.
    pub sequence: i64,
}

impl fmt::Display for Position {
    /// `MILLISECONDS.WRITER.SEQUENCE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at.as_unix_ms(), self.writer, self.sequence)
    }
}

/// The text is no [`Position`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use a cursor as an earlier answer gave it")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidPosition> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(InvalidPosition);
        let (at, writer, sequence) = (part()?, part()?, part()?);
        Ok(Self {
            at: Timestamp::from_unix_ms(at.parse().map_err(|_| InvalidPosition)?),
            writer: writer.parse().map_err(|_| InvalidPosition)?,
            sequence: sequence.parse().map_err(|_| InvalidPosition)?,
        })
    }
}

/// Which entries of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// All.
    Anything,
    /// Those whose affair is a subject's.
    Subject(SubjectId),
    /// Those about a subject and an integration.
    Connection(SubjectId, IntegrationId),
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The entry's text, time or hash was changed, or what it is found by.
    #[error("entry {sequence} of {writer} was changed")]
    Changed {
        /// The chain.
        writer: WriterId,
        /// The entry.
        sequence: i64,
    },
    /// An entry is missing, or two changed places.
    #[error("entry {sequence} of {writer} is missing or out of order")]
    Missing {
        /// The chain.
        writer: WriterId,
        /// The entry that should be there.
        sequence: i64,
    },
    /// The chain ends before an entry that another chain has seen.
    #[error("the chain {writer} was cut off: entry {sequence}, which another chain has seen, is gone")]
    CutOff {
        /// The chain.
        writer: WriterId,
        /// The last entry that another chain has seen.
        sequence: i64,
    },
}

/// The rows of `audit`.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Appends an entry to this process's chain; durable when it returns.
    async fn append(&self, event: &AuditEvent) -> Result<()>;
    /// The `limit` newest entries of all chains before a position, newest first; from the end of the trail without one.
    async fn newest(&self, about: &About, before: Option<&Position>, limit: u32) -> Result<Vec<AuditEntry>>;
    /// The `limit` oldest entries of all chains after a position and not after an instant, oldest first.
    async fn after(
        &self,
        about: &About,
        position: &Position,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<AuditEntry>>;
    /// Every entry of one chain after `sequence`, at most `limit`, in order.
    async fn chain(&self, writer: &WriterId, after: i64, limit: u32) -> Result<Vec<AuditEntry>>;
    /// The chains, with the sequence and hash of the last entry of each.
    async fn heads(&self) -> Result<Vec<Head>>;
}

/// The last entry of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// The chain.
    pub writer: WriterId,
    /// The last entry's place.
    pub sequence: i64,
    /// The last entry's hash.
    #[serde(with = "hex")]
    pub hash: ChainHash,
}

/// Hashes as 64 hex digits.
mod hex {
    use std::fmt::Write as _;

    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use vault::TokenHash;
    use vault::chain::ChainHash;

    pub(super) fn serialize<S: Serializer>(hash: &ChainHash, to: S) -> Result<S::Ok, S::Error> {
        let hex = hash.iter().fold(String::with_capacity(64), |mut hex, octet| {
            let _ = write!(hex, "{octet:02x}");
            hex
        });
        to.serialize_str(&hex)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ChainHash, D::Error> {
        let hash = TokenHash::from_hex(&String::deserialize(from)?);
        hash.map(|hash| *hash.as_bytes()).ok_or_else(|| de::Error::custom("not 64 hex digits"))
    }
}

/// Checks that `entries` continue a chain after `head` (`None`: from its beginning). Answers the new head.
pub fn verify(
    writer: WriterId,
    head: Option<Head>,
    entries: &[AuditEntry],
) -> std::result::Result<Option<Head>, Broken> {
    entries.iter().try_fold(head, |head, entry| {
        let sequence = head.as_ref().map_or(0, |head| head.sequence) + 1;
        let previous = head.map_or(chain::ROOT, |head| head.hash);
        if entry.sequence != sequence || entry.previous != previous {
            return Err(Broken::Missing { writer, sequence });
        }
        if chain::link(&previous, entry.event.as_bytes()) != entry.hash || !entry.is_filed_right() {
            return Err(Broken::Changed { writer, sequence });
        }
        Ok(Some(Head { writer, sequence, hash: entry.hash }))
    })
}

/// How many entries [`verify_trail`] reads at once.
const PAGE: u32 = 1000;

/// How far [`verify_trail_telling`] has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were read.
    pub entries: u64,
    /// How many chains are done.
    pub chains: u64,
    /// How many there are.
    pub of_chains: u64,
}

/// Checks every chain from its beginning, and that each still has the entries that others have seen. Answers the first
/// break of each.
pub async fn verify_trail(audit: &dyn Audit) -> Result<Vec<Broken>> {
    verify_trail_telling(audit, |_| {}).await.map(|(broken, _)| broken)
}

/// The same, and tells at every page how far it has come.
pub async fn verify_trail_telling(
    audit: &dyn Audit,
    mut tell: impl FnMut(Verified) + Send,
) -> Result<(Vec<Broken>, Verified)> {
    let (mut broken, mut anchors) = (Vec::new(), Vec::new());
    let heads = audit.heads().await?;
    let mut verified = Verified { of_chains: heads.len() as u64, ..Verified::default() };
    for Head { writer, .. } in heads {
        let mut head: Option<Head> = None;
        loop {
            let after = head.as_ref().map_or(0, |head| head.sequence);
            let entries = audit.chain(&writer, after, PAGE).await?;
            anchors.extend(entries.iter().flat_map(AuditEntry::anchors));
            verified.entries += entries.len() as u64;
            tell(verified);
            match verify(writer, head, &entries) {
                Ok(next) => head = next,
                Err(found) => {
                    broken.push(found);
                    break;
                }
            }
            if entries.is_empty() {
                break;
            }
        }
        verified.chains += 1;
    }
    tell(verified);
    for Head { writer, sequence, hash } in anchors {
        let seen = audit.chain(&writer, sequence - 1, 1).await?;
        match seen.first() {
            Some(entry) if entry.sequence == sequence && entry.hash == hash => {}
            Some(entry) if entry.sequence == sequence => broken.push(Broken::Changed { writer, sequence }),
            _ => broken.push(Broken::CutOff { writer, sequence }),
        }
    }
    Ok((broken, verified))
}
