//! Whoever in the product owns connections.

use std::time::Duration;

use async_trait::async_trait;
use model::{SubjectId, Timestamp};
use serde_json::{Map, Value};

use crate::Result;

/// What the product told us of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id, chosen by the product.
    pub id: SubjectId,
    /// A name for pages.
    pub name: Option<String>,
    /// A mail address for invitations.
    pub mail: Option<String>,
    /// A language tag for mails and pages.
    pub language: Option<String>,
    /// The product's own data.
    pub metadata: Map<String, Value>,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// What a subject has, in numbers. Each connection counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// Whose.
    pub subject: SubjectId,
    /// Connections whose access token is good, and not due.
    pub active: i64,
    /// Connections whose access token is still good, and due to be refreshed.
    pub expiring: i64,
    /// Connections whose access token has ended.
    pub expired: i64,
    /// Connections that only the person can repair.
    pub broken: i64,
    /// Connections that were disconnected.
    pub disconnected: i64,
}

/// The rows of `subjects`.
#[async_trait]
pub trait Subjects: Send + Sync {
    /// Makes the subject if it is not there; leaves it alone if it is.
    async fn ensure(&self, id: &SubjectId, at: Timestamp) -> Result<()>;
    /// Writes everything but `created_at`, which a subject that exists keeps. Answers the row as it now is.
    async fn put(&self, subject: &Subject) -> Result<Subject>;
    /// Writes its name and address alone; makes the subject if it is not there.
    async fn introduce(&self, id: &SubjectId, name: &str, mail: &str, at: Timestamp) -> Result<()>;
    /// Reads one.
    async fn get(&self, id: &SubjectId) -> Result<Option<Subject>>;
    /// At most `limit` subjects after `cursor`, by id, with what they have at `now`. A token is due `buffer` before its
    /// end, or a fifth of its life, whichever is shorter.
    async fn overview(
        &self,
        cursor: Option<&SubjectId>,
        now: Timestamp,
        buffer: Duration,
        limit: u32,
    ) -> Result<Vec<Overview>>;
}
