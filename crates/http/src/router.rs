//! Every URL on one page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
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
use crate::pages::invitation;
use crate::{layer, operations, pages};

/// The largest body of a route that says nothing else.
const MAX_BODY: usize = 1024 * 1024;

/// Browsers and OAuth clients.
pub fn public(app: &App) -> Router {
    finish(public_routes(), app)
}

/// The product's backend and the operator.
pub fn backend(app: &App) -> Router {
    finish(backend_routes(), app)
}

/// Both on one address.
pub fn all(app: &App) -> Router {
    finish(public_routes().merge(backend_routes()), app)
}

fn public_routes() -> Router<App> {
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
        .route("/assets/claviger.css", get(pages::assets::stylesheet))
        .route("/assets/claviger.js", get(pages::assets::module))
        .route("/assets/theme.css", get(pages::assets::theme))
        .route("/assets/logo", get(pages::assets::logo))
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
