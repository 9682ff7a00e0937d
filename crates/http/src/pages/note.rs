//! A page that says one thing and asks for nothing.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Forms, render};
use crate::App;
use crate::brand::Brand;
use crate::messages::Language;

#[derive(Template)]
#[template(path = "note.html")]
struct Note<'a> {
    language: Language,
    product: &'a Brand,
    title: String,
    detail: String,
}

/// The message `name` as the title, with its `.detail` below.
pub(super) fn page(app: &App, language: Language, name: &str) -> Response {
    titled(app, language, name, language.plain(name))
}

/// The same under a title of its own.
pub(super) fn titled(app: &App, language: Language, name: &str, title: String) -> Response {
    let detail = language.with(&format!("{name}.detail"), "product", &app.brand);
    let template = Note { language, product: &app.brand, title, detail };
    render(StatusCode::OK, language, &template, Forms::Ours)
}
