//! What one consent yielded: one sealed token set. New tokens come through [`crate::refreshes`].

use async_trait::async_trait;
use data_encoding::{BASE64, DecodeError};
use model::{
    AccessToken, Account, CredentialId, IntegrationId, ProviderId, ReconnectReason, RefreshToken, Scopes,
    SubjectId, Timestamp, TokenExtra,
};
use serde::{Deserialize, Serialize};
use vault::{AnySealed, Sealable, Sealed};

/// The tokens of one answer of a provider, sealed to the credential's id. As JSON, sealed octets are base64.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Encoded", try_from = "Encoded")]
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

impl SealedTokens {
    /// What is sealed of it.
    pub fn values(&self) -> [Option<AnySealed>; 3] {
        [
            self.access_token.as_ref().map(AnySealed::of),
            self.refresh_token.as_ref().map(AnySealed::of),
            self.extra.as_ref().map(AnySealed::of),
        ]
    }

    /// Puts a value in place of the one of its kind.
    pub(crate) fn put(&mut self, value: &AnySealed) {
        self.access_token = value.typed().or(self.access_token.take());
        self.refresh_token = value.typed().or(self.refresh_token.take());
        self.extra = value.typed().or(self.extra.take());
    }
}

/// A token set as JSON has it.
#[derive(Serialize, Deserialize)]
struct Encoded {
    access_token: Option<String>,
    refresh_token: Option<String>,
    extra: Option<String>,
    token_type: String,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    obtained_at: Timestamp,
}

impl From<SealedTokens> for Encoded {
    fn from(tokens: SealedTokens) -> Self {
        fn text<T: Sealable>(sealed: Option<&Sealed<T>>) -> Option<String> {
            sealed.map(|sealed| BASE64.encode(sealed.as_bytes()))
        }
        Self {
            access_token: text(tokens.access_token.as_ref()),
            refresh_token: text(tokens.refresh_token.as_ref()),
            extra: text(tokens.extra.as_ref()),
            token_type: tokens.token_type,
            scopes: tokens.scopes,
            expires_at: tokens.expires_at,
            obtained_at: tokens.obtained_at,
        }
    }
}

impl TryFrom<Encoded> for SealedTokens {
    type Error = DecodeError;

    fn try_from(encoded: Encoded) -> Result<Self, DecodeError> {
        fn sealed<T: Sealable>(text: Option<String>) -> Result<Option<Sealed<T>>, DecodeError> {
            text.map(|text| BASE64.decode(text.as_bytes()).map(Sealed::from_row)).transpose()
        }
        Ok(Self {
            access_token: sealed(encoded.access_token)?,
            refresh_token: sealed(encoded.refresh_token)?,
            extra: sealed(encoded.extra)?,
            token_type: encoded.token_type,
            scopes: encoded.scopes,
            expires_at: encoded.expires_at,
            obtained_at: encoded.obtained_at,
        })
    }
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
    /// How many refreshes have failed since the last that succeeded.
    pub failures: i64,
    /// When the background refreshes it next; `None` when it does not.
    pub due_at: Option<Timestamp>,
    /// When its tokens were last handed out, as far as that has been written down.
    pub used_at: Option<Timestamp>,
    /// When the person consented; `None` when nobody knows.
    pub grant_started_at: Option<Timestamp>,
    /// When the consent ends, however often it is refreshed; `None` when it does not, or nobody knows.
    pub grant_ends_at: Option<Timestamp>,
    /// Of which consent's tokens these are a part; `None` for those that connections stand on.
    pub part: Option<Part>,
}

/// Further tokens of a consent, refreshed by themselves: a person's own beside an app's, or those for another resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The credential on which the connections stand; with it goes the part.
    pub of: CredentialId,
    /// Which part: the entry's name for it, or the resource.
    pub name: String,
}

/// The rows of `credentials`. They come and go with [`crate::connections::Connections`].
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Reads one.
    async fn get(&self, id: &CredentialId) -> crate::Result<Option<Credential>>;
    /// The parts of a consent, by name.
    async fn parts(&self, of: &CredentialId) -> crate::Result<Vec<Credential>>;
    /// Writes a part of a consent, unless it is there already.
    async fn add_part(&self, part: &Credential) -> crate::Result<()>;
    /// Deletes one on which no connection stands; tells whether it did.
    async fn erase(&self, id: &CredentialId) -> crate::Result<bool>;
    /// Whether there is another consent of this account to this client (RFC 6749 §2.2), or one of which that can't be ruled
    /// out: where either account is not known. Those count that wait for a person's word.
    async fn may_share_grant(
        &self,
        client_id: &str,
        account_id: Option<&str>,
        except: &CredentialId,
    ) -> crate::Result<bool>;
    /// Names the account that the credential acts for; nothing happens when the credential is gone.
    async fn set_account(&self, id: &CredentialId, account: &Account) -> crate::Result<()>;
}
