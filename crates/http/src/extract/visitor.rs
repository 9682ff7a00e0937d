use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use model::ProblemCode;
use store::portal::PortalSession;

use crate::App;
use crate::problem::Problem;

/// The name of the cookie that a link becomes, without its prefix.
pub(crate) const COOKIE: &str = "portal";

/// A browser that has opened a link, with the session that it led to.
pub struct Visitor(pub PortalSession);

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let cookies = app.cookies().read(&parts.headers);
        let (_, value) = cookies
            .into_iter()
            .find(|(name, _)| name == COOKIE)
            .ok_or_else(|| Problem::new(ProblemCode::PortalSessionNeeded))?;
        Ok(Self(app.connect.visitor(value.expose()).await?))
    }
}
