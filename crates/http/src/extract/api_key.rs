use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use model::{Actor, ApiKeyScope, ProblemCode};
use vault::TokenHash;

use crate::App;
use crate::problem::Problem;

/// The longest key that is looked at.
const MAX_KEY: usize = 256;

/// A scope as a type, so that what a handler needs stands in its signature.
pub trait RequiredScope {
    /// The scope.
    const SCOPE: ApiKeyScope;
}

macro_rules! required_scopes {
    ($($name:ident)*) => {$(
        /// The scope of the same name.
        pub struct $name;

        impl RequiredScope for $name {
            const SCOPE: ApiKeyScope = ApiKeyScope::$name;
        }
    )*};
}

required_scopes! { Admin ApplicationsWrite AuditRead ConnectionsRead ConnectionsToken ConnectionsWrite PortalWrite }

/// The operator at the machine's own command line. The program puts it into requests that it makes to itself; nothing
/// that comes over a connection can have it.
#[derive(Debug, Clone, Copy)]
pub struct Operator;

/// A request whose key is known and has the scope `S` (or `admin`), or the operator's own.
pub struct ApiKey<S: RequiredScope> {
    actor: Actor,
    scope: PhantomData<S>,
}

impl<S: RequiredScope> ApiKey<S> {
    /// Who asks, as the audit trail names it.
    pub fn actor(&self) -> Actor {
        self.actor.clone()
    }
}

impl<S: RequiredScope + Send> FromRequestParts<App> for ApiKey<S> {
    type Rejection = Problem;

    /// RFC 6750 §2.1.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if parts.extensions.get::<Operator>().is_some() {
            return Ok(Self { actor: Actor::Operator, scope: PhantomData });
        }
        let unknown = || Problem::new(ProblemCode::InvalidApiKey);
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let (Some(header), None) = (headers.next(), headers.next()) else {
            return Err(unknown());
        };
        let (scheme, key) =
            header.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(unknown)?;
        if !scheme.eq_ignore_ascii_case("bearer") || !key.starts_with("cvk_") || key.len() > MAX_KEY {
            return Err(unknown());
        }
        let found = app.store.api_keys.find(&TokenHash::of(key)).await?.ok_or_else(unknown)?;
        if !found.scopes.allow(S::SCOPE) {
            return Err(Problem::new(ProblemCode::InsufficientScope).argument("scope", S::SCOPE));
        }
        Ok(Self { actor: Actor::ApiKey(found.id), scope: PhantomData })
    }
}
