//! What an application sends: a form in the body, and nothing in the query (RFC 6749 §2.3.1, §3.2).

use ::grant::client_auth::ClientRequest;
use ::grant::form::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};

use super::Refused;
use crate::App;
use crate::extract::address_of;

/// The longest form, in octets.
const MAX: usize = 64 * 1024;

/// What must not stand in an address, which ends up in logs.
const IN_THE_BODY_ALONE: [&str; 12] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "code",
    "code_verifier",
    "refresh_token",
    "redirect_uri",
    "token",
    "username",
    "password",
    "scope",
];

/// A form that an application has sent.
pub struct Call {
    form: Form,
    authorization: Option<String>,
    origin: Option<String>,
    address: String,
}

impl Call {
    /// What the plane reads of it.
    pub(super) fn request(&self) -> ClientRequest<'_> {
        ClientRequest {
            form: &self.form,
            authorization: self.authorization.as_deref(),
            origin: self.origin.as_deref(),
            address: &self.address,
        }
    }
}

impl FromRequest<App> for Call {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let refuse = |description| Err(Refused::unreadable(StatusCode::BAD_REQUEST, description));
        if let Some(query) = request.uri().query() {
            let in_query =
                Form::parse(query.as_bytes()).map_or(true, |form| form.has_any(&IN_THE_BODY_ALONE));
            if in_query {
                return refuse("parameters belong into the body, never into the address; nothing was done");
            }
        }
        let headers = request.headers();
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return refuse("the body must be application/x-www-form-urlencoded");
        }
        if headers.get_all(AUTHORIZATION).iter().count() > 1 {
            return refuse("the request has several Authorization headers");
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (authorization, origin) = (text(AUTHORIZATION), text(ORIGIN));
        let address = address_of(request.extensions(), headers, app);
        let body = Bytes::from_request(request, app).await.map_err(|rejection| {
            Refused::unreadable(rejection.status(), "the body can't be read, or is too long")
        })?;
        if body.len() > MAX {
            return Err(Refused::unreadable(StatusCode::PAYLOAD_TOO_LARGE, "the body is over 64 KiB"));
        }
        Ok(Self { form: Form::parse(&body)?, authorization, origin, address })
    }
}
