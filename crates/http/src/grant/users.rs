//! `/api/users`: people who sign in here, and their teams. Never a password, nor its hash.

#![expect(clippy::option_option, reason = "a member that is null is told from one that is left out")]

use ::grant::users::{NewUser, UserChange};
use axum::extract::State;
use axum::http::StatusCode;
use model::{ProblemCode, Secret, TeamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::users::{Membership, SignedOut, User};
use utoipa::{IntoParams, ToSchema};

use super::said;
use crate::App;
use crate::connect::connections::{first_page, page_limit};
use crate::extract::{Admin, ApiKey, Json, Path, Query};
use crate::problem::Problem;

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = users::Body)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// Also the `sub` of their tokens.
    #[schema(value_type = String)]
    id: UserId,
    /// The login back end that knows them: `local` where they have a password here.
    backend: String,
    email: Option<String>,
    name: Option<String>,
    /// Their teams, by name; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Vec<Team>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// From when on they may not sign in.
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
}

impl Body {
    fn of(user: User, teams: Option<Vec<Membership>>) -> Self {
        Self {
            id: user.id,
            backend: user.backend,
            email: user.email,
            name: user.name,
            teams: teams.map(|teams| teams.into_iter().map(Team::from).collect()),
            created_at: user.created_at,
            updated_at: user.updated_at,
            disabled_at: user.disabled_at,
        }
    }

    async fn read(app: &App, id: &UserId) -> Result<Self, Problem> {
        let (user, teams) = app.grant.user(id).await?;
        Ok(Self::of(user, Some(teams)))
    }
}

/// A team that a user belongs to.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// The account of the product, as the product names it.
    #[schema(value_type = String)]
    id: TeamId,
    /// What people call it; the same for all its members.
    name: String,
    /// What the user is there, in the product's own word.
    role: Option<String>,
}

impl From<Membership> for Team {
    fn from(membership: Membership) -> Self {
        Self { id: membership.team, name: membership.name, role: membership.role }
    }
}

impl From<Team> for Membership {
    fn from(team: Team) -> Self {
        Self { team: team.id, name: team.name, role: team.role }
    }
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// The one who signs in here with this address.
    email: Option<String>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<UserId>,
    /// How many, at most 200.
    #[param(default = 50, minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
#[schema(as = users::Page)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    users: Vec<Body>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<UserId>,
}

/// A user who is to be kept here.
#[derive(Deserialize, ToSchema)]
#[schema(as = users::Create)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Their address, with which they sign in, in whatever case.
    email: String,
    /// 8 to 128 characters.
    password: String,
    name: Option<String>,
    /// At most 50.
    #[serde(default)]
    teams: Vec<Team>,
}

/// A change of a user. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[schema(as = users::Patch)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// From now on they sign in with this address.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = String)]
    email: Option<String>,
    /// `true`: they may no longer sign in, and are signed out everywhere.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = bool)]
    disabled: Option<bool>,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// 8 to 128 characters.
    password: String,
}

/// What a user is in a team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutTeam {
    /// What people call the team; from now on the same for all its members.
    name: String,
    /// What the user is there, in the product's own word.
    role: Option<String>,
}

/// What was ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// In how many browsers they were signed in.
    sign_ins: u64,
    /// How many times an application had tokens of theirs.
    families: u64,
}

impl From<SignedOut> for Ended {
    fn from(out: SignedOut) -> Self {
        Self { sign_ins: out.sign_ins, families: out.families }
    }
}

/// List users
#[utoipa::path(
    get, path = "/api/users", tag = "users", params(ListParameters),
    responses((status = 200, body = Page)), security(("api_key" = ["admin"]))
)]
pub async fn list(
    State(app): State<App>,
    _: ApiKey<Admin>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Page>, Problem> {
    let limit = page_limit(parameters.limit)?;
    let found = match parameters.email {
        Some(email) => match app.grant.user_of_email(&email).await {
            Err(::grant::Error::Problem { code: ProblemCode::UserNotFound, .. }) => Vec::new(),
            found => vec![found?],
        },
        None => app.grant.users(parameters.cursor.as_ref(), limit + 1).await?,
    };
    let (found, more) = first_page(found, limit);
    let next_cursor = found.last().filter(|_| more).map(|last| last.id);
    Ok(Json(Page { users: found.into_iter().map(|user| Body::of(user, None)).collect(), next_cursor }))
}

/// Make a user
///
/// They sign in with their address and the password.
#[utoipa::path(
    post, path = "/api/users", tag = "users", request_body = Create,
    responses((status = 201, body = Body), (status = 409, description = "`user_exists`"),
              (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn create(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Json(body): Json<Create>,
) -> Result<(StatusCode, Json<Body>), Problem> {
    let new = NewUser {
        email: body.email,
        name: body.name,
        password: Secret::new(body.password),
        teams: body.teams.into_iter().map(Membership::from).collect(),
    };
    let user = app.grant.create_user(new, key.actor()).await?;
    Ok((StatusCode::CREATED, Json(Body::read(&app, &user.id).await?)))
}

/// Inspect a user
#[utoipa::path(
    get, path = "/api/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`user_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn get(
    State(app): State<App>,
    _: ApiKey<Admin>,
    Path(id): Path<UserId>,
) -> Result<Json<Body>, Problem> {
    Ok(Json(Body::read(&app, &id).await?))
}

/// Change a user
#[utoipa::path(
    patch, path = "/api/users/{id}", tag = "users", request_body = Patch, params(("id" = String, Path)),
    responses((status = 200, body = Body), (status = 404, description = "`user_not_found`"),
              (status = 409, description = "`user_exists`, `user_is_elsewhere`"),
              (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn patch(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(id): Path<UserId>,
    Json(body): Json<Patch>,
) -> Result<Json<Body>, Problem> {
    let change = UserChange { name: body.name, email: body.email, disabled: body.disabled };
    app.grant.change_user(&id, change, key.actor()).await?;
    Ok(Json(Body::read(&app, &id).await?))
}

/// Remove a user
///
/// With everything that is theirs: memberships, consents, tokens.
#[utoipa::path(
    delete, path = "/api/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 204), (status = 404, description = "`user_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn remove(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    app.grant.remove_user(&id, key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change a user's password
///
/// They are signed out everywhere, and applications have to ask them again for tokens; what they agreed to stays.
#[utoipa::path(
    put, path = "/api/users/{id}/password", tag = "users", request_body = Password, params(("id" = String, Path)),
    responses((status = 200, body = Ended), (status = 404, description = "`user_not_found`"),
              (status = 409, description = "`user_is_elsewhere`"), (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn set_password(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(id): Path<UserId>,
    Json(body): Json<Password>,
) -> Result<Json<Ended>, Problem> {
    Ok(Json(app.grant.set_password(&id, &Secret::new(body.password), key.actor()).await?.into()))
}

/// Sign a user out everywhere
///
/// All browsers, and all tokens that applications have of theirs; what they agreed to stays.
#[utoipa::path(
    post, path = "/api/users/{id}/sign-out", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = Ended), (status = 404, description = "`user_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn sign_out(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path(id): Path<UserId>,
) -> Result<Json<Ended>, Problem> {
    Ok(Json(app.grant.sign_out_everywhere(&id, key.actor()).await?.into()))
}

/// Make a user a member of a team
///
/// Or change what they are there.
#[utoipa::path(
    put, path = "/api/users/{id}/teams/{team}", tag = "users", request_body = PutTeam,
    params(("id" = String, Path), ("team" = String, Path)),
    responses((status = 200, body = Team), (status = 404, description = "`user_not_found`"),
              (status = 422, description = "`validation_failed`")),
    security(("api_key" = ["admin"]))
)]
pub async fn join(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path((id, team)): Path<(UserId, TeamId)>,
    Json(body): Json<PutTeam>,
) -> Result<Json<Team>, Problem> {
    let membership = Membership { team, name: body.name, role: body.role };
    app.grant.join(&id, &membership, key.actor()).await?;
    Ok(Json(membership.into()))
}

/// End a membership
///
/// With what the user agreed to for the team.
#[utoipa::path(
    delete, path = "/api/users/{id}/teams/{team}", tag = "users",
    params(("id" = String, Path), ("team" = String, Path)),
    responses((status = 204), (status = 404, description = "`user_not_found`, `membership_not_found`")),
    security(("api_key" = ["admin"]))
)]
pub async fn leave(
    State(app): State<App>,
    key: ApiKey<Admin>,
    Path((id, team)): Path<(UserId, TeamId)>,
) -> Result<StatusCode, Problem> {
    app.grant.leave(&id, &team, key.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
