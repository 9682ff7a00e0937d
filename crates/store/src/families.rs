//! Codes, families of tokens, and access tokens. Whatever has a row is good until its time is over; what is revoked has none.

use async_trait::async_trait;
use model::{ClientId, FamilyId, GrantId, Scopes, TeamId, Timestamp, UserId};
use vault::TokenHash;

use crate::Result;

/// An authorization code (RFC 6749 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// On which consent.
    pub grant: GrantId,
    /// For which application.
    pub client_id: ClientId,
    /// Whose.
    pub user: UserId,
    /// For which team.
    pub team: Option<TeamId>,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the authorization request named that address, so that the token request has to as well.
    pub redirect_uri_named: bool,
    /// RFC 7636 §4.3, by S256.
    pub code_challenge: Option<String>,
    /// What was agreed to.
    pub scopes: Scopes,
    /// The resources that the authorization request named (RFC 8707).
    pub resources: Vec<String>,
    /// OpenID Connect Core §3.1.2.1.
    pub nonce: Option<String>,
    /// When the person proved who they are; the epoch where nobody knows.
    pub auth_time: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it was redeemed for, if it was; the family may be over.
    pub redeemed: Option<FamilyId>,
}

/// The refresh tokens, and their access tokens, that one code began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its id.
    pub id: FamilyId,
    /// On which consent.
    pub grant: GrantId,
    /// For which application.
    pub client_id: ClientId,
    /// Whose.
    pub user: UserId,
    /// For which team.
    pub team: Option<TeamId>,
    /// What all its refresh tokens have in common; `None` where there are none.
    pub handle: Option<TokenHash>,
    /// The refresh token that is good now.
    pub current: Option<TokenHash>,
    /// Counts the refresh tokens, from 1.
    pub generation: i64,
    /// What its tokens may do.
    pub scopes: Scopes,
    /// For which resources (RFC 8707).
    pub resources: Vec<String>,
    /// When the person proved who they are; the epoch where nobody knows.
    pub auth_time: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// Until when the refresh token has to be used.
    pub idle_until: Timestamp,
    /// When it ends, however much it is used.
    pub ends_at: Timestamp,
}

/// An access token (RFC 6749 §1.4), whatever it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Of which family; `None` where an application acts for itself.
    pub family: Option<FamilyId>,
    /// Of which application.
    pub client_id: ClientId,
    /// Whose; `None` where an application acts for itself.
    pub user: Option<UserId>,
    /// For which team.
    pub team: Option<TeamId>,
    /// What it may do.
    pub scopes: Scopes,
    /// Where it is good (RFC 8707); empty for no resource in particular.
    pub audience: Vec<String>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The family and its first access token are written.
    Done,
    /// Somebody was faster.
    Used,
    /// There is no such code any more: its consent was withdrawn, or it is too old.
    Gone,
}

impl Redeemed {
    /// Why a code was not to be redeemed, by what is left of it.
    pub(crate) fn too_late(code: Option<Code>) -> Self {
        if code.is_some_and(|code| code.redeemed.is_some()) { Self::Used } else { Self::Gone }
    }
}

/// A refresh token's successor.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The family.
    pub family: FamilyId,
    /// The refresh token that was presented, and is spent by this.
    pub spent: TokenHash,
    /// The next one.
    pub next: TokenHash,
    /// Until when the next one has to be used.
    pub idle_until: Timestamp,
    /// The answer, sealed for whoever presents the spent one again, and until when it is kept; `None` for not at all.
    pub answer: Option<(Vec<u8>, Timestamp)>,
    /// The access token that goes with it.
    pub access_token: TokenHash,
    /// What that is.
    pub access: AccessToken,
}

/// The rows of `codes`, `families`, `refresh_answers` and `access_tokens`.
#[async_trait]
pub trait Families: Send + Sync {
    /// Writes a code and that its consent is used; `false` when that was withdrawn meanwhile.
    async fn add_code(&self, code: &TokenHash, record: &Code) -> Result<bool>;
    /// Reads a code, redeemed and expired ones too.
    async fn code(&self, code: &TokenHash) -> Result<Option<Code>>;
    /// Redeems a code that has not ended at `now`, once, and writes what it is redeemed for: of any number of callers, on any
    /// number of replicas, one gets [`Redeemed::Done`].
    async fn redeem(
        &self,
        code: &TokenHash,
        now: Timestamp,
        family: &Family,
        access_token: &TokenHash,
        access: &AccessToken,
    ) -> Result<Redeemed>;
    /// Reads the family of a handle.
    async fn of_handle(&self, handle: &TokenHash) -> Result<Option<Family>>;
    /// Puts the next refresh token in the place of the one that was presented, and writes the access token, if that one is still
    /// good at `now` and the family has not ended. Of any number of callers one gets `true`.
    async fn rotate(&self, rotation: &Rotation, now: Timestamp) -> Result<bool>;
    /// The answer that is kept at `now` for whoever presents a spent refresh token again.
    async fn kept_answer(&self, spent: &TokenHash, now: Timestamp) -> Result<Option<Vec<u8>>>;
    /// Ends a family with all its tokens; `true` for whoever did it.
    async fn revoke(&self, family: &FamilyId) -> Result<bool>;
    /// Writes an access token that belongs to no family.
    async fn add_access_token(&self, token: &TokenHash, access: &AccessToken) -> Result<()>;
    /// Reads an access token that has not ended at `now`.
    async fn access_token(&self, token: &TokenHash, now: Timestamp) -> Result<Option<AccessToken>>;
    /// Ends one access token; `true` for whoever did it.
    async fn revoke_access_token(&self, token: &TokenHash) -> Result<bool>;
    /// Deletes at most `limit` of the answers that are kept no longer at `now`; tells how many.
    async fn sweep_answers(&self, now: Timestamp, limit: u32) -> Result<u64>;
    /// Deletes at most `limit` of each of: codes, families and access tokens that ended before `before`; tells how many.
    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64>;
}
