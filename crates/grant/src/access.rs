//! Access tokens that are presented to us: which are good, and for what.

use model::OauthErrorCode;
use store::families::AccessToken;
use vault::TokenHash;

use crate::{Error, Grant, Result};

/// The longest access token that is looked at.
const MAX: usize = 8192;

impl Grant {
    /// The record of an access token that is good.
    pub(crate) async fn access_token(&self, token: &str) -> Result<Option<AccessToken>> {
        if token.len() > MAX {
            return Ok(None);
        }
        Ok(self.store().families.access_token(&TokenHash::of(token), self.now()).await?)
    }

    /// Whether a token is good at a resource (RFC 8707): one that names none is good at the product itself.
    pub(crate) fn is_for(&self, token: &AccessToken, resource: &str) -> bool {
        if token.audience.is_empty() {
            return resource == self.issuer();
        }
        token.audience.iter().any(|own| own == resource)
    }
}

/// RFC 6750 §3.1.
pub(crate) fn invalid_token() -> Error {
    Error::refused(OauthErrorCode::InvalidToken, "the access token is unknown, or no longer good")
}
