use std::convert::Infallible;
use std::time::Duration;

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

/// `90s`, `10m`, `1h`, `7d`, of at most `max`; else the rule.
pub(crate) fn duration(text: &str, max: Duration) -> Result<Duration, String> {
    let rule = || format!("write a duration of at most {}s, such as 30s or 10m", max.as_secs());
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| rule())?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(rule()),
    };
    let duration = Duration::from_secs(number.saturating_mul(factor));
    if duration > max { Err(rule()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_limit() {
        let (minute, day) = (Duration::from_mins(1), Duration::from_hours(24));
        assert_eq!(
            duration("90s", minute).unwrap_err(),
            "write a duration of at most 60s, such as 30s or 10m"
        );
        assert_eq!(duration("10m", day).unwrap(), Duration::from_mins(10));
        assert_eq!(duration("1d", day).unwrap(), day);
        assert_eq!(duration("0s", minute).unwrap(), Duration::ZERO);
        for bad in [
            "",
            "10",
            "m",
            "-1s",
            "1.5m",
            "10 m",
            "99999999999999999999s",
            "18446744073709551615h",
            "25h",
            "2d",
        ] {
            assert!(duration(bad, day).is_err(), "{bad:?}");
        }
    }
}
