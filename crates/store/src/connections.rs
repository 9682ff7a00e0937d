//! A subject's accounts at integrations.

use std::sync::Arc;

use async_trait::async_trait;
use model::{
    AccessToken, Account, ConnectionId, ConnectionState, CredentialId, IntegrationId, Label, ReconnectReason,
    Scopes, SubjectId, Timestamp, TokenExtra,
};
use serde_json::{Map, Value};
use vault::Sealed;

use crate::Result;
use crate::credentials::Credential;
use crate::revocations::{NewRevocation, Revocation};

/// What names a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    /// Whose.
    pub subject: SubjectId,
    /// Where.
    pub integration: IntegrationId,
    /// Which of several.
    pub label: Label,
}

/// A connection as the product and the operator see it: never the tokens.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its id; it stays the same through disconnect and reconnect.
    pub id: ConnectionId,
    /// What names it.
    pub key: ConnectionKey,
    /// The credential that it stands on; `None` when it is disconnected.
    pub credential: Option<CredentialId>,
    /// Where it stands.
    pub state: ConnectionState,
    /// Counts every write to the connection itself (not to its tokens).
    pub generation: i64,
    /// The product's own data.
    pub metadata: Map<String, Value>,
    /// What was asked for.
    pub requested_scopes: Scopes,
    /// When it was last connected.
    pub connected_at: Timestamp,
    /// Who did that, as the audit trail names the actor.
    pub connected_by: String,
    /// When it or its tokens were last written.
    pub updated_at: Timestamp,
    /// What was granted.
    pub granted_scopes: Scopes,
    /// The account at the provider.
    pub account: Option<Account>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// When the tokens were last replaced.
    pub refreshed_at: Option<Timestamp>,
    /// Whether there is an access token.
    pub has_access_token: bool,
    /// Whether there is a refresh token.
    pub has_refresh_token: bool,
    /// What the last refresh that failed said.
    pub last_error: Option<String>,
    /// When the consent ends, however often it is refreshed; `None` when it does not, or nobody knows.
    pub grant_ends_at: Option<Timestamp>,
    /// When the background refreshes the tokens next.
    pub due_at: Option<Timestamp>,
}

/// What the hot path needs, and no more: one row, kept in memory while nothing changes it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The connection.
    pub connection: ConnectionId,
    /// Its credential; the tokens are sealed to it.
    pub credential: CredentialId,
    /// The credential's generation.
    pub generation: i64,
    /// The access token.
    pub access_token: Option<Sealed<AccessToken>>,
    /// Members of the provider's own.
    pub extra: Option<Sealed<TokenExtra>>,
    /// RFC 6749 §7.1.
    pub token_type: String,
    /// What was granted, separated by spaces.
    pub scope: String,
    /// When the provider answered with these tokens.
    pub obtained_at: Timestamp,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Whether it can be refreshed.
    pub has_refresh_token: bool,
    /// Since when and why only the person can repair it.
    pub broken: Option<(Timestamp, ReconnectReason)>,
    /// When its tokens were last handed out, as far as that has been written down.
    pub used_at: Option<Timestamp>,
}

/// A connection that is about to stand on a new credential.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// The id that it gets if it is new.
    pub id: ConnectionId,
    /// What names it.
    pub key: ConnectionKey,
    /// Metadata to merge in.
    pub metadata: Map<String, Value>,
    /// What was asked for.
    pub requested_scopes: Scopes,
    /// Who connects, as the audit trail names the actor.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The credential to stand on.
    pub credential: Credential,
    /// Further tokens of the same consent.
    pub parts: Vec<Credential>,
}

/// What `connect` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// The connection.
    pub id: ConnectionId,
    /// Whether it is new, as opposed to connected again.
    pub created: bool,
}

/// Which connections to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this subject.
    pub subject: Option<SubjectId>,
    /// At this integration.
    pub integration: Option<IntegrationId>,
    /// In this state (`active`, `broken`, `disconnected`).
    pub state: Option<StateFilter>,
}

/// A state to filter by. What is derived from the time (`expiring`, `expired`) is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// Works as far as we know.
    Active,
    /// Needs the person.
    Broken,
    /// Kept without tokens.
    Disconnected,
}

impl StateFilter {
    /// The state's word, as [`ConnectionState::word`] has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Broken => "broken",
            Self::Disconnected => "disconnected",
        }
    }
}

/// A place in the list: everything after this connection, in the order of ids.
pub type Cursor = ConnectionId;

/// How a write to the metadata ended.
#[derive(Debug, Clone)]
pub enum MetadataWrite {
    /// Merged; this is the connection now.
    Merged(Box<Connection>),
    /// The connection has another generation than the caller saw.
    Conflict {
        /// The generation that it has.
        generation: i64,
    },
    /// There is no such connection.
    NotFound,
}

/// What became of a connection that was to be disconnected, and of its tokens.
#[derive(Debug, Clone)]
pub enum Disconnected {
    /// There is no such connection, or it was disconnected already.
    NotConnected,
    /// It stands on another credential than the revocation was planned for; nothing has happened.
    Moved,
    /// Disconnected; the tokens stay, for another connection stands on them.
    Shared(Box<Connection>),
    /// Disconnected; the tokens are erased.
    Erased(Box<Connection>),
    /// Disconnected; the tokens have become a revocation, held for its first attempt.
    Revoking(Box<Connection>, Box<Revocation>),
}

impl Disconnected {
    /// The connection as it is now, if it was disconnected.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::NotConnected | Self::Moved => None,
            Self::Shared(connection) | Self::Erased(connection) | Self::Revoking(connection, _) => {
                Some(connection)
            }
        }
    }
}

/// The rows of `connections`.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Lets the connection stand on a new credential, in one transaction: makes the connection or revives it, writes
    /// the credential, and deletes the one it stood on before if no other connection stands on that.
    async fn connect(&self, new: &NewConnection) -> Result<Connected>;
    /// Reads one, disconnected ones too.
    async fn get(&self, key: &ConnectionKey) -> Result<Option<Connection>>;
    /// Reads what the hot path needs; `None` when there is no connection or it is disconnected. A change that this
    /// process, or any on the same SQLite file, made before the call is seen; on PostgreSQL another replica's is seen
    /// once its notice has arrived, within a second, and after 30 seconds even if the notice was lost.
    async fn standing(&self, key: &ConnectionKey) -> Result<Option<Arc<Standing>>>;
    /// Reads the same of a part of the credential, without the cache; `None` when there is no such part.
    async fn standing_of(&self, key: &ConnectionKey, part: &str) -> Result<Option<Arc<Standing>>>;
    /// Forgets what is in memory of it, for a caller who knows that another replica has changed it: the next
    /// [`Connections::standing`] reads the row.
    fn forget(&self, key: &ConnectionKey);
    /// At most `limit` connections after `cursor`, in the order of their ids.
    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: u32) -> Result<Vec<Connection>>;
    /// Merges `patch` into the metadata: members are set, `null` removes. With `generation`, only if the connection
    /// still has it.
    async fn merge_metadata(
        &self,
        key: &ConnectionKey,
        patch: &Map<String, Value>,
        generation: Option<i64>,
        at: Timestamp,
    ) -> Result<MetadataWrite>;
    /// Lets a connection stand on another credential, if it still stands on `from`; deletes `from` if it was the last
    /// there. Tells whether it did.
    async fn move_to(
        &self,
        key: &ConnectionKey,
        from: &CredentialId,
        to: &CredentialId,
        at: Timestamp,
    ) -> Result<bool>;
    /// At most `limit` connections of any subject that stand on consents of this account to this client (RFC 6749 §2.2),
    /// the oldest consents first.
    async fn of_account(&self, client_id: &str, account_id: &str, limit: u32) -> Result<Vec<Connection>>;
    /// Keeps the row as `disconnected`, in one transaction with what becomes of the tokens: unless another connection
    /// stands on them they are erased, or, with `revocation`, move into a [`Revocation`] whose first attempt is the
    /// caller's.
    async fn disconnect(
        &self,
        key: &ConnectionKey,
        by: &str,
        at: Timestamp,
        revocation: Option<&NewRevocation>,
    ) -> Result<Disconnected>;
}
