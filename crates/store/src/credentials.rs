//! What one consent yielded: one sealed token set. Every write states the generation that it saw.

use async_trait::async_trait;
use model::{
    AccessToken, Account, CredentialId, IntegrationId, ProviderId, ReconnectReason, RefreshToken, Scopes,
    SubjectId, Timestamp, TokenExtra,
};
use vault::Sealed;

use crate::Result;

/// The tokens of one answer of a provider, sealed to the credential's id.
#[derive(Debug, Clone)]
pub struct SealedTokens {
    /// RFC 6749 §5.1 `access_token`; `None` after an import of a refresh token alone.
    pub access_token: Option<Sealed<AccessToken>>,
    /// RFC 6749 §5.1 `refresh_token`.
    pub refresh_token: Option<Sealed<RefreshToken>>,
    /// Members of the provider's own.
    pub extra: Option<Sealed<TokenExtra>>,
    /// RFC 6749 §7.1, as the provider wrote it.
    pub token_type: String,
    /// What was granted.
    pub scopes: Scopes,
    /// When the access token ends; `None` when nobody knows.
    pub expires_at: Option<Timestamp>,
    /// When the provider answered.
    pub obtained_at: Timestamp,
}

/// One consent's yield, with what is needed to refresh it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its id; the tokens are sealed to it.
    pub id: CredentialId,
    /// Whose it is.
    pub subject: SubjectId,
    /// Through which integration it came.
    pub integration: IntegrationId,
    /// The catalog entry.
    pub provider: ProviderId,
    /// Which of our apps it belongs to (RFC 6749 §2.2).
    pub client_id: String,
    /// Where it is refreshed, pinned at the exchange.
    pub token_url: String,
    /// Counts every replacement of the tokens.
    pub generation: i64,
    /// The account that it acts for.
    pub account: Option<Account>,
    /// The tokens.
    pub tokens: SealedTokens,
    /// When the tokens were last replaced; `None` before the first refresh.
    pub refreshed_at: Option<Timestamp>,
    /// Since when and why only the person can repair it.
    pub broken: Option<(Timestamp, ReconnectReason)>,
    /// What the last refresh that failed said, as a stable word.
    pub last_error: Option<String>,
}

/// The rows of `credentials`. They come and go with [`crate::connections::Connections`].
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Reads one.
    async fn get(&self, id: &CredentialId) -> Result<Option<Credential>>;
    /// Puts new tokens in place of those of `generation`, clears `broken` and `last_error`, sets `refreshed_at` to
    /// `tokens.obtained_at`; `false` when that generation has passed or the credential is gone. A set without a
    /// refresh token keeps the old one (RFC 6749 §6); a set without extra keeps the old extra.
    async fn replace_tokens(&self, id: &CredentialId, generation: i64, tokens: &SealedTokens)
    -> Result<bool>;
    /// Says that only the person can repair it; `false` when that generation has passed.
    async fn mark_broken(
        &self,
        id: &CredentialId,
        generation: i64,
        reason: ReconnectReason,
        at: Timestamp,
    ) -> Result<bool>;
    /// Names the account that the credential acts for; nothing happens when the credential is gone.
    async fn set_account(&self, id: &CredentialId, account: &Account) -> Result<()>;
    /// Remembers why a refresh failed, without touching the tokens or the generation.
    async fn note_error(&self, id: &CredentialId, generation: i64, error: &str) -> Result<()>;
}
