use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use model::ProblemCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::App;
use crate::problem::Problem;

/// A JSON body: read with every rule, written as it is.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(ProblemCode::UnsupportedMediaType));
        }
        let body = Bytes::from_request(request, app).await.map_err(|rejection| {
            Problem::new(match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::PayloadTooLarge,
                _ => ProblemCode::MalformedJson,
            })
        })?;
        // serde would take a list for a struct, member by member.
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(Problem::field("body", "invalid_type", "expected an object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            // A word was expected, and serde calls anything but a text malformed there.
            if !error.inner().is_data() && serde_json::from_slice::<Value>(&body).is_ok() {
                return Problem::field(&path, "invalid_type", "expected a string");
            }
            problem(error.inner(), &path)
        })?;
        reader.end().map_err(|error| problem(&error, "."))?;
        Ok(Self(value))
    }
}

/// A body that may be left out: then there is no content type either.
impl<T: DeserializeOwned> OptionalFromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Option<Self>, Problem> {
        if !request.headers().contains_key(CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<App>>::from_request(request, app).await.map(Some)
    }
}

/// Which member is wrong, and how, from what serde says of it.
fn problem(error: &serde_json::Error, path: &str) -> Problem {
    if !error.is_data() {
        return Problem::new(ProblemCode::MalformedJson)
            .argument("line", error.line())
            .argument("column", error.column());
    }
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    let named = message.split('`').nth(1).unwrap_or_default();
    let (code, field) = match message.split(' ').next() {
        Some("unknown") if message.starts_with("unknown field") => ("unknown_field", named),
        Some("missing") => ("required", named),
        _ => (if message.starts_with("invalid type") { "invalid_type" } else { "invalid_format" }, ""),
    };
    let field = match (path, field) {
        (".", "") => "body".to_owned(),
        (".", field) => field.to_owned(),
        (path, "") => path.to_owned(),
        (path, field) if path.ends_with(field) => path.to_owned(),
        (path, field) => format!("{path}.{field}"),
    };
    // The message repeats what was sent only for short scalars; texts are cut so that no secret comes back.
    let message = if code == "unknown_field" || code == "required" { message } else { describe(message) };
    Problem::field(&field, code, message)
}

/// `invalid type: string "…", expected a map` without the value. The rules of our own words name none.
fn describe(message: &str) -> &str {
    if message.starts_with("not a ") {
        return message;
    }
    message.rfind("expected ").map_or("has the wrong form", |start| &message[start..])
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Body {
        token: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Inner {
        number: u8,
        address: Option<model::RedirectUri>,
    }

    #[test]
    fn the_wrong_member_is_named_and_no_value_comes_back() {
        let cases = [
            (r#"{"token":"t","x":1}"#, r#""field":"x","code":"unknown_field""#),
            (r"{}", r#""field":"token","code":"required""#),
            (
                r#"{"token":"t","inner":{"number":"hunter2"}}"#,
                r#""field":"inner.number","code":"invalid_type""#,
            ),
            (r#"{"token":"t","inner":{"other":1}}"#, r#""field":"inner.other","code":"unknown_field""#),
            (
                r#"{"token":"t","inner":{"number":1,"address":"hunter2"}}"#,
                r#""code":"invalid_format","message":"not a redirect URI: it must be absolute"#,
            ),
            (r#""hunter2""#, r#""code":"invalid_type""#),
        ];
        for (body, expected) in cases {
            let mut reader = serde_json::Deserializer::from_str(body);
            let error = serde_path_to_error::deserialize::<_, Body>(&mut reader).unwrap_err();
            let path = error.path().to_string();
            let problem = problem(error.inner(), &path);
            let text = serde_json::to_string(&problem.fields()).unwrap();
            assert!(text.contains(expected), "{body} gave {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
