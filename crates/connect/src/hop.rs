//! Our own step on the way to the provider: the link works once, gives the attempt its state, and binds the browser
//! that opened it by a cookie (against login CSRF, RFC 6749 §10.12).

use std::time::Duration;

use model::Secret;
use store::attempts::Hop;
use vault::TokenHash;

use crate::{Connect, Error, Result};

/// What the browser gets.
#[derive(Debug)]
pub struct Departure {
    /// The provider's page to go on to.
    pub location: Secret<String>,
    /// The cookie that the callback will ask for.
    pub cookie: BindingCookie,
}

/// The cookie that binds the browser to one attempt. Every attempt has a name of its own, so that parallel tabs work.
#[derive(Debug)]
pub struct BindingCookie {
    /// Its name, without the prefix that the cookie module adds.
    pub name: String,
    /// Its value.
    pub value: Secret<String>,
    /// How long it is needed.
    pub max_age: Duration,
}

/// The name of the cookie that binds the attempt with this state.
pub fn cookie_name(state: &str) -> String {
    let hash = TokenHash::of(state);
    let [a, b, c, d, ..] = hash.as_bytes();
    format!("flow_{a:02x}{b:02x}{c:02x}{d:02x}")
}

impl Connect {
    /// Opens the link that [`Connect::authorize`] gave out.
    pub async fn depart(&self, ticket: &str) -> Result<Departure> {
        let state = vault::random::token();
        let value = vault::random::token();
        let hashes = [ticket, state.expose(), value.expose()].map(TokenHash::of);
        let now = self.now();
        match self.store().attempts.start(&hashes[0], &hashes[1], &hashes[2], now).await? {
            Hop::Started(attempt) => Ok(Departure {
                location: self.provider_url(&attempt, &state).await?,
                cookie: BindingCookie {
                    name: cookie_name(state.expose()),
                    value,
                    max_age: attempt.expires_at.since(now),
                },
            }),
            Hop::Used | Hop::Expired | Hop::Unknown => Err(Error::InvalidTicket),
        }
    }
}
