//! The userinfo endpoint (OpenID Connect Core §5.3): also what Zapier tests a connection with, and labels it by.

use model::OauthErrorCode;
use serde_json::{Map, Value};

use crate::access::invalid_token;
use crate::{Error, Grant, Result};

impl Grant {
    /// Says whose token it is.
    pub async fn userinfo(&self, token: &str) -> Result<Map<String, Value>> {
        let record = self.access_token(token).await?.ok_or_else(invalid_token)?;
        // A token for another resource is no token here (RFC 9700 §2.3), unless it was asked for about the person as well.
        if !self.is_for(&record, self.issuer()) && !record.scopes.contains("openid") {
            return Err(invalid_token());
        }
        let Some(user) = record.user else {
            let description = "the token is no person's";
            return Err(Error::refused(OauthErrorCode::InsufficientScope, description));
        };
        self.person_claims(user, record.team.as_ref(), &record.scopes).await
    }
}
