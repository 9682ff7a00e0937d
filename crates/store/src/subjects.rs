//! Whoever in the product owns connections.

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
}
