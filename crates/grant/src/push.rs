//! Pushed authorization requests (RFC 9126): an application sends its request itself, and the browser brings only its name.

use std::time::Duration;

use model::ClientId;
use serde::Serialize;
use store::authorizations::PushedRequest;
use vault::TokenHash;

use crate::application::Client;
use crate::authorize::AuthorizationRequest;
use crate::client_auth::ClientRequest;
use crate::{Grant, Result};

/// What the name of a pushed request begins with (RFC 9126 §2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// How long a browser may take to come with it.
const LIFE: Duration = Duration::from_secs(90);

/// Whether a `request_uri` is a name of ours; else it is the address of a request object.
pub(crate) fn is_pushed(uri: &str) -> bool {
    uri.starts_with(PREFIX)
}

/// RFC 9126 §2.2.
#[derive(Serialize)]
pub struct Pushed {
    request_uri: String,
    /// In seconds.
    expires_in: u64,
}

impl Grant {
    /// Takes a request.
    pub async fn push(&self, request: &ClientRequest<'_>) -> Result<Pushed> {
        request.form.check_repeated()?;
        let client = self.authenticate(request).await?.client;
        if client.settings.is_public() || !client.is_looked_at() {
            // Anybody can ask in its name, or have one.
            self.limit_arrivals(request.address)?;
        }
        let checked = self.read_pushed(&client, request.form)?;
        let request_uri = format!("{PREFIX}{}", vault::random::token().expose());
        let expires_at = self.now() + LIFE;
        let row = PushedRequest { client_id: client.id, request: checked.to_json(), expires_at };
        self.store().authorizations.push(&TokenHash::of(&request_uri), &row).await?;
        Ok(Pushed { request_uri, expires_in: LIFE.as_secs() })
    }

    /// The request that a browser comes with; it works once.
    pub(crate) async fn take_pushed(
        &self,
        uri: &str,
        client: &Client,
    ) -> Result<Option<AuthorizationRequest>> {
        let id: &ClientId = &client.id;
        let taken = self.store().authorizations.take_pushed(&TokenHash::of(uri), id, self.now()).await?;
        let request = taken.and_then(|taken| AuthorizationRequest::from_json(&taken.request));
        Ok(request.filter(|request| self.may_still_ask(client, request)))
    }
}
