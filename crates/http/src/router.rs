//! Every URL on one page.

use ::grant::Endpoint;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::connect::{
    api_keys, audit, authorize, callback, connections, drill, history, hop, integrations, keys,
    portal_sessions, providers, refreshing, status, stripe, subjects, token, validate,
};
use crate::grant::{applications, grants, users};
use crate::oauth;
use crate::pages::invitation;
use crate::{layer, operations, pages, protect};

/// The largest body of a route that says nothing else.
const MAX_BODY: usize = 1024 * 1024;

/// Browsers and OAuth clients.
pub fn public(app: &App) -> Router {
    finish(public_routes(app).merge(protected(app)), app)
}

/// The product's backend and the operator.
pub fn backend(app: &App) -> Router {
    finish(backend_routes(), app)
}

/// Both on one address.
pub fn all(app: &App) -> Router {
    finish(public_routes(app).merge(backend_routes()).merge(protected(app)), app)
}

fn public_routes(app: &App) -> Router<App> {
    Router::new()
        .route("/connect/start/{ticket}", get(hop::depart).head(no_head))
        .route(
            "/connect/account/{link}",
            get(pages::account::page).head(no_head).post(pages::account::answer),
        )
        .route("/connect/done/{id}", get(pages::connected::page))
        .route("/api/oauth/callback", get(callback::callback).head(no_head))
        .route("/api/oauth/callback/{id}", get(callback::callback_of).head(no_head))
        .route("/portal/start/{token}", get(invitation::look).head(no_head).post(invitation::accept))
        .route("/portal/start/{token}/again", post(invitation::again))
        .route("/portal", get(pages::portal::home))
        .route("/portal/onboarding", get(pages::portal::onboarding::page))
        .route("/portal/onboarding/finish", post(pages::portal::onboarding::finish))
        .route("/portal/onboarding/{bucket}/connect", post(pages::portal::onboarding::connect))
        .route("/portal/onboarding/{bucket}/disconnect", post(pages::portal::onboarding::disconnect))
        .route("/portal/settings", get(pages::portal::settings::page))
        .route("/portal/settings/{bucket}/connect", post(pages::portal::settings::connect))
        .route("/portal/settings/{bucket}/disconnect", post(pages::portal::settings::disconnect))
        .route("/portal/done", get(invitation::done))
        .route(
            "/onboard-client",
            get(invitation::look_at_stripe).head(no_head).post(invitation::accept_stripe),
        )
        .route("/onboard-client/again", post(invitation::again_stripe))
        .route("/onboard-client/refresh", get(stripe::refresh).head(no_head))
        .route("/onboard-client/done", get(invitation::stripe_done))
        .route("/connect/callback", get(stripe::callback).head(no_head))
        .route(
            "/connect/webhooks/stripe",
            post(stripe::webhook).layer(DefaultBodyLimit::max(stripe::MAX_EVENT)),
        )
        .merge(oauth_routes(app))
        .route("/assets/claviger.css", get(pages::assets::stylesheet))
        .route("/assets/claviger.js", get(pages::assets::module))
        .route("/assets/theme.css", get(pages::assets::theme))
        .route("/assets/logo", get(pages::assets::logo))
}

/// What the first parts of our own paths are, or will be; nothing else may be there.
pub const TAKEN: [&str; 19] = [
    "",
    ".well-known",
    "api",
    "assets",
    "connect",
    "console",
    "device",
    "docs",
    "guard",
    "healthz",
    "login",
    "metrics",
    "oauth",
    "onboard-client",
    "openapi.json",
    "portal",
    "readyz",
    "robots.txt",
    "favicon.ico",
];

/// What lies behind us, below the paths that the operator chose.
fn protected(app: &App) -> Router<App> {
    app.upstreams.iter().fold(Router::new(), |router, upstream| {
        let path = &upstream.protected.path;
        router
            .route(path, any(protect::pass))
            .route(&format!("{path}/"), any(protect::pass))
            .route(&format!("{path}/{{*rest}}"), any(protect::pass))
    })
}

/// What applications call, from servers and from scripts of any origin; and the pages on the way, which no script may read. What
/// somebody has begun there is finished when they hang up.
fn oauth_routes(app: &App) -> Router<App> {
    let mut called = Router::new()
        .route("/oauth/token", called_route(Endpoint::Token))
        .route("/oauth/refresh", called_route(Endpoint::Refresh))
        .route("/oauth/revoke", called_route(Endpoint::Revoke))
        .route("/oauth/introspect", post(oauth::introspect::introspect))
        .route("/oauth/par", post(oauth::push::push))
        .route("/oauth/register", post(oauth::register::register).options(oauth::register::preflight))
        .route(
            "/oauth/register/{client_id}",
            get(oauth::register::read)
                .put(oauth::register::replace)
                .delete(oauth::register::remove)
                .options(oauth::register::preflight),
        )
        .route("/oauth/userinfo", called_route(Endpoint::Userinfo))
        .route("/oauth/test", get(oauth::userinfo::userinfo).options(oauth::open))
        .route("/oauth/jwks", get(oauth::metadata::jwks).options(oauth::open))
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata::metadata).options(oauth::open))
        .route(
            "/.well-known/oauth-protected-resource",
            get(oauth::metadata::protected_resource).options(oauth::open),
        )
        .route(
            "/.well-known/oauth-protected-resource/{*path}",
            get(oauth::metadata::protected_resource_at).options(oauth::open),
        )
        .route("/.well-known/openid-configuration", get(oauth::metadata::metadata).options(oauth::open));
    let mut pages = Router::new()
        .route("/oauth/authorize", called_route(Endpoint::Authorize))
        .route("/oauth/authorize/{id}", get(oauth::authorize::page).head(no_head).post(oauth::authorize::act))
        .route("/oauth/login/callback/{way}", get(oauth::authorize::arrive_from).head(no_head))
        .route("/oauth/access", get(oauth::access::page).post(oauth::access::act));
    for (path, endpoint) in &app.grant.settings().aliases {
        let to = if *endpoint == Endpoint::Authorize { &mut pages } else { &mut called };
        *to = std::mem::take(to).route(path, called_route(*endpoint));
    }
    called.layer(from_fn(oauth::open_to_all)).merge(pages).layer(from_fn(layer::to_the_end))
}

/// An endpoint that can have further paths.
fn called_route(endpoint: Endpoint) -> MethodRouter<App> {
    match endpoint {
        Endpoint::Authorize => {
            get(oauth::authorize::begin).head(no_head).post(oauth::authorize::begin_by_form)
        }
        Endpoint::Token => post(oauth::token::token).options(oauth::open),
        Endpoint::Refresh => post(oauth::token::refresh).options(oauth::open),
        Endpoint::Revoke => post(oauth::revoke::revoke).options(oauth::open),
        Endpoint::Userinfo => {
            get(oauth::userinfo::userinfo).post(oauth::userinfo::userinfo).options(oauth::open)
        }
    }
}

/// Link previews and scanners ask with HEAD, which must not use up what works once.
async fn no_head() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, HeaderValue::from_static("GET"))]).into_response()
}

fn backend_routes() -> Router<App> {
    described().0.route("/openapi.json", get(operations::openapi))
}

/// The backend's API, with its description.
pub(crate) fn described() -> (Router<App>, OpenApi) {
    OpenApiRouter::with_openapi(frame())
        .routes(routes!(authorize::authorize))
        .routes(routes!(status::status))
        .routes(routes!(token::token, token::token_instead))
        .routes(routes!(connections::list))
        .routes(routes!(
            connections::inspect,
            connections::import,
            connections::patch,
            connections::disconnect
        ))
        .routes(routes!(connections::refresh))
        .routes(routes!(history::history))
        .routes(routes!(drill::simulate_failure))
        .routes(routes!(validate::validate_page))
        .routes(routes!(validate::validate))
        .routes(routes!(refreshing::get, refreshing::put))
        .routes(routes!(integrations::list))
        .routes(routes!(integrations::get, integrations::put, integrations::patch, integrations::remove))
        .routes(routes!(
            integrations::get_own,
            integrations::put_own,
            integrations::patch_own,
            integrations::remove_own
        ))
        .routes(routes!(providers::list))
        .routes(routes!(providers::get))
        .routes(routes!(subjects::list))
        .routes(routes!(subjects::put, subjects::get))
        .routes(routes!(stripe::inspect, stripe::put, stripe::unlink))
        .routes(routes!(portal_sessions::list, portal_sessions::create))
        .routes(routes!(portal_sessions::inspect, portal_sessions::withdraw))
        .routes(routes!(portal_sessions::resend))
        .routes(routes!(portal_sessions::initiate))
        .merge(described_grant())
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(keys::list))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::check))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .split_for_parts()
}

/// What is ours to grant; a change is finished, and told in the trail, also when whoever began it hangs up.
fn described_grant() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(applications::list, applications::create))
        .routes(routes!(applications::get, applications::patch, applications::remove))
        .routes(routes!(applications::rotate))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::patch, users::remove))
        .routes(routes!(users::set_password))
        .routes(routes!(users::sign_out))
        .routes(routes!(users::join, users::leave))
        .routes(routes!(grants::list))
        .routes(routes!(grants::withdraw))
        .layer(from_fn(layer::to_the_end))
}

fn frame() -> OpenApi {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An API key, `cvk_…`. The scope that an operation needs stands beside it; `admin` has all.",
        ))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Claviger")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("Errors are RFC 9457 problem documents with a stable `code`."))
                .license(Some(
                    LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
                ))
                .build(),
        )
        .components(Some(components))
        .build()
}

fn finish(routes: Router<App>, app: &App) -> Router {
    // In one call, from the outside in: each further `Router::layer` would box the service once more per request.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), layer::around))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| layer::panicked(&*panic)))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    routes.layer(layers).with_state(app.clone())
}
