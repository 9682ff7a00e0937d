use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::App;
use crate::messages::Language;
use crate::problem::Problem;

/// The query; an unknown, repeated or malformed parameter is an error that names it.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = AxumQuery::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            let text = rejection.body_text();
            let rule = text.rsplit_once("string: ").map_or(text.as_str(), |(_, rule)| rule);
            let name = rule.split(['`', ':']).nth(usize::from(rule.contains('`'))).unwrap_or("query");
            Problem::parameter(name.trim(), rule)
        })?;
        Ok(Self(query.0))
    }
}

/// The parameters of the path; one that is malformed is an error that names the rule.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match AxumPath::<T>::from_request_parts(parts, app).await {
            Ok(path) => Ok(Self(path.0)),
            Err(rejection) => {
                let text = rejection.body_text();
                let rule = text.rsplit_once("not a valid ").map_or(text.as_str(), |(_, rule)| rule);
                Err(Problem::parameter("path", rule))
            }
        }
    }
}

/// The language of the person who asks.
pub struct SpokenLanguage(pub Language);

impl FromRequestParts<App> for SpokenLanguage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(Language::negotiate(&parts.headers, app.default_language)))
    }
}
