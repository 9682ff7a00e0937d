//! Authorization requests at our own door, from the browser's arrival to the person's decision, and requests that were pushed
//! before it (RFC 9126).

use async_trait::async_trait;
use model::{AuthorizationId, ClientId, Timestamp, UserId};
use serde_json::Value;
use vault::TokenHash;

use crate::Result;

/// An authorization request that a person is looking at.
#[derive(Debug, Clone, PartialEq)]
pub struct Authorization {
    /// Its id, which stands in the address of the page.
    pub id: AuthorizationId,
    /// Who asks.
    pub client_id: ClientId,
    /// What was asked, checked; only the grant plane reads it.
    pub request: Value,
    /// The browser that began, by the hash of its cookie.
    pub browser: TokenHash,
    /// Who signed in for this request, and when.
    pub user: Option<(UserId, Timestamp)>,
    /// What a login back end keeps while the person is elsewhere; only the grant plane reads it.
    pub login: Option<Value>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// A request that an application pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct PushedRequest {
    /// Who pushed it.
    pub client_id: ClientId,
    /// What was asked, checked; only the grant plane reads it.
    pub request: Value,
    /// Until when a browser may come with it.
    pub expires_at: Timestamp,
}

/// The rows of `authorizations` and `pushed_requests`.
#[async_trait]
pub trait Authorizations: Send + Sync {
    /// Keeps a request that was pushed.
    async fn push(&self, uri: &TokenHash, request: &PushedRequest) -> Result<()>;
    /// Takes a pushed request, once; `None` when it is unknown, taken, another application's, or too old.
    async fn take_pushed(
        &self,
        uri: &TokenHash,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Option<PushedRequest>>;
    /// Writes a request that a person is about to see.
    async fn create(&self, authorization: &Authorization) -> Result<()>;
    /// Reads one, decided and expired ones too.
    async fn get(&self, id: &AuthorizationId) -> Result<Option<Authorization>>;
    /// Writes who signed in for it, or nobody, and forgets what a login back end kept; `false` when it is decided or has
    /// expired at `now`.
    async fn set_user(
        &self,
        id: &AuthorizationId,
        user: Option<(UserId, Timestamp)>,
        now: Timestamp,
    ) -> Result<bool>;
    /// Keeps what a login back end needs; `false` when it is decided or has expired at `now`.
    async fn set_login(&self, id: &AuthorizationId, login: &Value, now: Timestamp) -> Result<bool>;
    /// Takes what a login back end kept, once: of any number of callers one gets it. `None` when it is decided or has expired at
    /// `now`.
    async fn take_login(&self, id: &AuthorizationId, now: Timestamp) -> Result<Option<Value>>;
    /// Decides it, once: of any number of callers one gets `true`; `false` too when it has expired at `now`.
    async fn decide(&self, id: &AuthorizationId, now: Timestamp) -> Result<bool>;
    /// Deletes at most `limit` authorizations, and as many pushed requests, that ended before `before`; tells how many.
    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
