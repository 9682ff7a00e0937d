//! Stripe: where it sends browsers and events, and what the product reads of a subject's account.

use ::connect::stripe::Onward;
use ::connect::stripe::callback::Arrival;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{StripeAccountId, SubjectId, Timestamp};
use serde::{Deserialize, Serialize};
use store::stripe::StripeAccount;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::hop::location;
use crate::App;
use crate::extract::{Admin, ApiKey, ConnectionsRead, Json, Path};
use crate::problem::Problem;

/// The largest event, in octets.
pub(crate) const MAX_EVENT: usize = 256 * 1024;

const STRIPE_SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// `GET /connect/callback`: the browser comes back from Stripe.
pub async fn callback(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let arrival = Arrival { state: once(&query, "state"), account: once(&query, "account") };
    go(&app, &app.connect.stripe_callback(&arrival).await?)
}

/// `GET /onboard-client/refresh`: Stripe's page was used up, so there is another.
pub async fn refresh(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let state = once(query.as_deref().unwrap_or_default(), "state");
    go(&app, &app.connect.onboard_again(state.as_deref()).await?)
}

/// `POST /connect/webhooks/stripe`: an event, with its signature.
pub async fn webhook(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let signature = headers.get(STRIPE_SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    app.connect.stripe_event(signature, &body).await?;
    Ok(StatusCode::OK)
}

/// 303 to where the browser goes.
pub(crate) fn go(app: &App, onward: &Onward) -> Result<Response, Problem> {
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location(&address(app, onward))?)]).into_response())
}

/// Where the browser goes.
pub(crate) fn address(app: &App, onward: &Onward) -> String {
    match onward {
        Onward::Stripe(url) => url.expose().clone(),
        Onward::Done(Some(url)) => url.clone(),
        Onward::Done(None) => format!("{}/onboard-client/done", app.public_url),
    }
}

/// A parameter that came exactly once: one that is repeated counts as none.
pub(crate) fn once(query: &str, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(own, _)| own == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

/// A subject's account at Stripe.
#[derive(Serialize, ToSchema)]
#[schema(as = stripe::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[schema(value_type = String)]
    subject: SubjectId,
    /// `onboarding` (the person has not come back from Stripe), `linked`, or `deauthorized` (the account took away our access).
    status: &'static str,
    /// The account, once it is linked.
    #[schema(value_type = Option<String>)]
    stripe_account_id: Option<StripeAccountId>,
    /// Whether the person has sent in everything that was asked for.
    details_submitted: bool,
    /// Whether it can take payments.
    charges_enabled: bool,
    /// Whether it is paid out.
    payouts_enabled: bool,
    /// What Stripe waits for from the person, by Stripe's names.
    currently_due: Vec<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    linked_at: Option<Timestamp>,
    /// Who linked it: the person's browser, or an operator's API key.
    linked_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deauthorized_at: Option<Timestamp>,
    /// When Stripe was last asked.
    #[schema(value_type = Option<String>, format = DateTime)]
    checked_at: Option<Timestamp>,
}

impl From<StripeAccount> for Body {
    fn from(row: StripeAccount) -> Self {
        let status = match (&row.linked, row.deauthorized_at) {
            (_, Some(_)) => "deauthorized",
            (Some(_), None) => "linked",
            (None, None) => "onboarding",
        };
        let (linked_at, linked_by) = row.linked.unzip();
        let facts = row.facts.unwrap_or_default();
        Self {
            subject: row.subject,
            status,
            stripe_account_id: row.account.filter(|_| linked_at.is_some()),
            details_submitted: facts.details_submitted,
            charges_enabled: facts.charges_enabled,
            payouts_enabled: facts.payouts_enabled,
            currently_due: facts.currently_due,
            linked_at,
            linked_by,
            deauthorized_at: row.deauthorized_at,
            checked_at: row.checked_at,
        }
    }
}

/// An account that exists at Stripe.
#[derive(Deserialize, ToSchema)]
#[schema(as = stripe::Put)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Put {
    #[schema(value_type = String, example = "acct_1032D82eZvKYlo2C")]
    stripe_account_id: StripeAccountId,
}

/// Inspect a subject's account at Stripe
#[utoipa::path(
    get, path = "/api/subjects/{subject}/stripe", tag = "stripe", params(("subject" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`stripe_account_not_found`")),
    security(("api_key" = ["connections:read"]))
)]
pub async fn inspect(
    State(app): State<App>,
    _: ApiKey<ConnectionsRead>,
    Path(subject): Path<SubjectId>,
) -> Result<Json<Body>, Problem> {
    Ok(Json(app.connect.stripe_account(&subject).await?.into()))
}

/// Link an account that a subject has at Stripe already
///
/// For the clients of the time before. Stripe must know the account as one of the platform; one account belongs to one subject,
/// and a subject that has another keeps it.
#[utoipa::path(
    put, path = "/api/subjects/{subject}/stripe", tag = "stripe", params(("subject" = String, Path)), request_body = Put,
    responses((status = 200, body = Body), (status = 400, description = "`stripe_account_unknown`, `stripe_not_configured`"),
              (status = 409, description = "`account_taken`, `account_linked`"), (status = 503, description = "`stripe_unavailable`")),
    security(("api_key" = ["admin"]))
)]
pub async fn put(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(subject): Path<SubjectId>,
    Json(body): Json<Put>,
) -> Result<Json<Body>, Problem> {
    let row = app.connect.adopt_stripe_account(&subject, &body.stripe_account_id, key.actor()).await?;
    Ok(Json(row.into()))
}

/// Unlink a subject's account
///
/// So that another can be linked. At Stripe nothing changes.
#[utoipa::path(
    delete, path = "/api/subjects/{subject}/stripe", tag = "stripe", params(("subject" = String, Path)),
    responses((status = 204), (status = 404, description = "`stripe_account_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn unlink(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(subject): Path<SubjectId>,
) -> Result<StatusCode, Problem> {
    app.connect.unlink_stripe_account(&subject, key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_repeated_counts_as_none() {
        assert_eq!(once("state=a&account=b", "state").as_deref(), Some("a"));
        for none in ["", "account=b", "state=a&state=b", "state=a&state=a", "State=a"] {
            assert_eq!(once(none, "state"), None, "{none}");
        }
        assert_eq!(once("state=", "state").as_deref(), Some(""));
    }
}
