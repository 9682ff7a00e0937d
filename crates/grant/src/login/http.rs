//! The product's own check: we post what a person typed, over TLS and signed, and it answers who that is.
//!
//! ```text
//! POST {url}
//! Content-Type: application/json
//! Claviger-Signature: t=1780000000,v1=5257a869…
//!
//! {"email": "…", "password": "…", "requestId": "req_…", "timestamp": "2026-05-28T20:26:40Z"}
//! ```
//!
//! `v1` is HMAC-SHA256 over `{t}.{body}` under the shared secret, in hex; `t` is the time in seconds. The product compares in
//! constant time, refuses what is older than five minutes, and takes every `requestId` once.
//!
//! - 200 `{"user": {"id", "email", "name"}, "teams": [{"id", "name", "role"}]}`: that is who it is. Everything but `user.id` and
//!   `teams[].id` may be left out; without `teams` memberships stay as they are.
//! - 401 or 403 `{"error": "invalid_credentials"}`: the address or the password is wrong. Without these words it is no answer: a proxy
//!   on the way says 401 and 403 too.
//! - anything else: it can't tell just now; 400 is for a call that it refuses
//!
//! The address is sent as tries are counted by it: in lower case, and with the domain in the form of DNS.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use model::{RequestId, Secret};
use serde::Deserialize;
use serde_json::json;

use super::call::{not_now, post_json};
use super::told::{Told, ToldTeam, ToldUser};
use crate::issue::seconds;
use crate::{Grant, Result};

/// The name of this back end.
pub const NAME: &str = "http";

const SIGNATURE: HeaderName = HeaderName::from_static("claviger-signature");

/// Where the product checks passwords.
#[derive(Debug, Clone)]
pub struct HttpLogin {
    /// Where.
    pub url: String,
    /// What our calls are signed with.
    pub secret: Secret<String>,
    /// How long it may take.
    pub timeout: Duration,
}

#[derive(Deserialize)]
struct Known {
    user: ToldUser,
    teams: Option<Vec<ToldTeam>>,
}

/// That it is nobody.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// What it says then.
const WRONG: &str = "invalid_credentials";

impl Grant {
    /// Asks the product who that is; `None` when it says that something is wrong.
    pub(super) async fn check_at_product(
        &self,
        product: &HttpLogin,
        email: &str,
        password: &Secret<String>,
    ) -> Result<Option<Told>> {
        let now = self.now();
        let body = json!({
            "email": email,
            "password": password.expose(),
            "requestId": vault::random::id::<RequestId>().to_string(),
            "timestamp": now.to_string(),
        });
        let body = body.to_string().into_bytes();
        let at = seconds(now).to_string();
        let tag = vault::shared::tag(&product.secret, &[at.as_bytes(), b".", &body].concat());
        let signature = HeaderValue::from_str(&format!("t={at},v1={tag}")).map_err(|_| not_now())?;
        let call = post_json(&product.url, body).header(SIGNATURE, signature).timeout(product.timeout);
        let answer = self.ask(NAME, call).await?;
        match answer.status {
            200 => {
                let Known { user, teams } = answer.read()?;
                Told::new(user, teams).map(Some).map_err(|why| answer.unusable(why))
            }
            401 | 403 if answer.read::<Refused>()?.error == WRONG => Ok(None),
            _ => Err(answer.unusable("neither a person nor invalid_credentials")),
        }
    }
}
