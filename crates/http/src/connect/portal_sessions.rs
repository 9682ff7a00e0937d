//! `/api/portal-sessions` and `POST /onboard-client/initiate`: links to pages, for the product to open or for a mail to carry.

use std::time::Duration;

use ::connect::portal::{Introduction, Invitation, Invited};
use axum::extract::State;
use axum::http::StatusCode;
use model::{IntegrationId, MailStatus, PortalPage, PortalSessionId, SubjectId, Timestamp};
use provider::mail::MailAddress;
use serde::{Deserialize, Serialize};
use store::portal::PortalSession;
use utoipa::{IntoParams, ToSchema};

use super::connections::{first_page, page_limit};
use super::subjects::check_name;
use crate::App;
use crate::extract::{ApiKey, Json, Path, PortalWrite, Query, duration};
use crate::messages::Language;
use crate::problem::Problem;

/// The longest life that is read; the plane knows which links may live how long.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// A right to use a page.
#[derive(Deserialize, ToSchema)]
#[schema(as = portal_sessions::Create)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    #[schema(value_type = String)]
    subject: SubjectId,
    /// `onboarding`: connect your tools. `settings`: see what is connected, connect again, disconnect. `stripe`: get an account at Stripe.
    #[schema(value_type = String, example = "onboarding")]
    page: PortalPage,
    /// What may be connected there; without it everything that is configured. 1 to 50 names.
    #[schema(value_type = Option<Vec<String>>)]
    integrations: Option<Vec<IntegrationId>>,
    /// Where the browser goes when the person is done; must be on the list of `connect.return_to`.
    return_to: Option<String>,
    /// Mails the link to this address.
    email: Option<String>,
    /// The language of the mail, `en` or `et`; without it the subject's, or the instance's.
    language: Option<String>,
    /// How long the link works: `90s`, `10m`, `2d`. At least 1m; 5m is usual and 1h the most, of a mailed link 7d and 30d.
    expires_in: Option<String>,
}

/// A new client.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Initiate {
    /// The subject that the client will be.
    #[schema(value_type = String)]
    client_id: SubjectId,
    /// What the mail calls the client.
    name: String,
    /// Where the invitation goes.
    email: String,
}

/// A portal session. Its link is told once, when it is made.
#[derive(Serialize, ToSchema)]
#[schema(as = portal_sessions::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[schema(value_type = String)]
    id: PortalSessionId,
    #[schema(value_type = String)]
    subject: SubjectId,
    #[schema(value_type = String)]
    page: PortalPage,
    /// The link.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Until when the link works.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// `open`, `completed`, `withdrawn` or `expired`.
    status: &'static str,
    /// What became of the latest mail: `pending` (it is tried again by itself), `sent`, `refused` or `abandoned`; `null` where
    /// none was asked for.
    #[schema(value_type = Option<String>)]
    mail: Option<MailStatus>,
    #[schema(value_type = Option<Vec<String>>)]
    integrations: Option<Vec<IntegrationId>>,
    return_to: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    /// When the link was first used.
    #[schema(value_type = Option<String>, format = DateTime)]
    opened_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    withdrawn_at: Option<Timestamp>,
}

impl Body {
    fn of(app: &App, session: PortalSession, url: Option<String>) -> Self {
        let status = match &session {
            PortalSession { completed_at: Some(_), .. } => "completed",
            PortalSession { withdrawn_at: Some(_), .. } => "withdrawn",
            PortalSession { expires_at, .. } if *expires_at <= app.clock.now() => "expired",
            _ => "open",
        };
        Self {
            id: session.id,
            subject: session.subject,
            page: session.page,
            url,
            expires_at: session.expires_at,
            status,
            mail: session.mail,
            integrations: session.integrations,
            return_to: session.return_to,
            created_at: session.created_at,
            created_by: session.created_by,
            opened_at: session.opened_at,
            completed_at: session.completed_at,
            withdrawn_at: session.withdrawn_at,
        }
    }

    fn invited(app: &App, invited: Invited) -> Self {
        Self::of(app, invited.session, Some(invited.url.expose().clone()))
    }
}

/// Which portal sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListParameters {
    /// Of this subject.
    #[param(value_type = Option<String>)]
    subject: Option<SubjectId>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<PortalSessionId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of portal sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = portal_sessions::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    portal_sessions: Vec<Body>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<PortalSessionId>,
}

/// Make a portal session
///
/// A link that you open yourself works once. One that is mailed first shows who invites to what, so that mail scanners use
/// nothing up, and works again and again until the person is done.
#[utoipa::path(
    post, path = "/api/portal-sessions", tag = "portal", request_body = Create,
    responses((status = 201, body = Body),
              (status = 400, description = "`return_to_not_allowed`, `mail_not_configured`, `stripe_not_configured`, `invalid_parameter`"),
              (status = 404, description = "`integration_not_found`, `subject_not_found`"),
              (status = 422, description = "`validation_failed`"), (status = 429, description = "`too_many_mails`")),
    security(("api_key" = ["portal:write"]))
)]
pub async fn create(
    State(app): State<App>,
    key: ApiKey<PortalWrite>,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<Body>), Problem> {
    let expires_in = body.expires_in.as_deref().map(|text| {
        duration(text, LONGEST).map_err(|rule| Problem::field("expiresIn", "invalid_format", rule))
    });
    let invitation = Invitation {
        subject: body.subject,
        page: body.page,
        integrations: body.integrations,
        return_to: body.return_to,
        email: body.email.as_deref().map(address).transpose()?,
        language: body.language.map(language).transpose()?,
        expires_in: expires_in.transpose()?,
        by: key.actor(),
    };
    let invited = app.connect.invite(invitation).await?;
    Ok((StatusCode::CREATED, Json(Body::invited(&app, invited))))
}

/// Invite a new client to Stripe
///
/// Makes the subject, or changes its name and address, and mails an invitation to get an account at Stripe. Invitations of the
/// subject that went to another address are withdrawn.
#[utoipa::path(
    post, path = "/onboard-client/initiate", tag = "portal", request_body = Initiate,
    responses((status = 201, body = Body), (status = 400, description = "`mail_not_configured`, `stripe_not_configured`"),
              (status = 422, description = "`validation_failed`"), (status = 429, description = "`too_many_mails`")),
    security(("api_key" = ["portal:write"]))
)]
pub async fn initiate(
    State(app): State<App>,
    key: ApiKey<PortalWrite>,
    Json(body): Json<Initiate>,
) -> Result<(StatusCode, Json<Body>), Problem> {
    let email = address(&body.email)?;
    if body.name.trim().is_empty() {
        return Err(Problem::field("name", "required", "expected what the client is called"));
    }
    check_name(&body.name)?;
    let invited = app
        .connect
        .introduce(Introduction {
            subject: body.client_id,
            name: body.name.trim().to_owned(),
            email,
            by: key.actor(),
        })
        .await?;
    Ok((StatusCode::CREATED, Json(Body::invited(&app, invited))))
}

/// List portal sessions
#[utoipa::path(
    get, path = "/api/portal-sessions", tag = "portal", params(ListParameters),
    responses((status = 200, body = Page)), security(("api_key" = ["portal:write"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<PortalWrite>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Page>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let found =
        app.connect.portal_sessions(parameters.subject.as_ref(), parameters.cursor, limit + 1).await?;
    let (found, more) = first_page(found, limit);
    let portal_sessions: Vec<Body> = found.into_iter().map(|session| Body::of(&app, session, None)).collect();
    let next_cursor = if more { portal_sessions.last().map(|session| session.id) } else { None };
    Ok(Json(Page { portal_sessions, next_cursor }))
}

/// Inspect a portal session
#[utoipa::path(
    get, path = "/api/portal-sessions/{id}", tag = "portal", params(("id" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`portal_session_not_found`")),
    security(("api_key" = ["portal:write"]))
)]
pub async fn inspect(
    State(app): State<App>,
    _: ApiKey<PortalWrite>,
    Path(id): Path<PortalSessionId>,
) -> Result<Json<Body>, Problem> {
    let session = app.connect.portal_session(&id).await?;
    Ok(Json(Body::of(&app, session, None)))
}

/// Withdraw a portal session
///
/// Its link works no more, nor do the browsers that opened it, and no mail is sent.
#[utoipa::path(
    delete, path = "/api/portal-sessions/{id}", tag = "portal", params(("id" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`portal_session_not_found`"),
              (status = 409, description = "`portal_session_over`")),
    security(("api_key" = ["portal:write"]))
)]
pub async fn withdraw(
    State(app): State<App>,
    key: ApiKey<PortalWrite>,
    Path(id): Path<PortalSessionId>,
) -> Result<Json<Body>, Problem> {
    let session = app.connect.withdraw(&id, key.actor()).await?;
    Ok(Json(Body::of(&app, session, None)))
}

/// Mail an invitation again
///
/// With a new link, which works as long as the first did; the link before it works no more.
#[utoipa::path(
    post, path = "/api/portal-sessions/{id}/resend", tag = "portal", params(("id" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`portal_session_not_found`"),
              (status = 409, description = "`portal_session_over`, `nothing_to_mail`"),
              (status = 429, description = "`too_many_mails`")),
    security(("api_key" = ["portal:write"]))
)]
pub async fn resend(
    State(app): State<App>,
    key: ApiKey<PortalWrite>,
    Path(id): Path<PortalSessionId>,
) -> Result<Json<Body>, Problem> {
    let invited = app.connect.invite_again(&id, key.actor()).await?;
    Ok(Json(Body::invited(&app, invited)))
}

fn address(text: &str) -> Result<MailAddress, Problem> {
    text.parse()
        .map_err(|error: provider::mail::InvalidAddress| Problem::field("email", "invalid_email", error.rule))
}

fn language(tag: String) -> Result<String, Problem> {
    if Language::from_tag(&tag).is_some() {
        return Ok(tag);
    }
    Err(Problem::field("language", "invalid_format", "expected en or et"))
}
