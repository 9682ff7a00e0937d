//! The end of an attempt where the operator configured no front end to return to.

use ::connect::callback::Destination;
use axum::extract::State;
use axum::response::Response;
use model::{GroupId, IntegrationId, ProblemCode};

use super::note;
use crate::App;
use crate::extract::{Path, SpokenLanguage};
use crate::problem::Problem;

/// Where the page is for this end.
pub(crate) fn address(app: &App, destination: &Destination) -> String {
    match &destination.group {
        Some(group) => format!("{}/connect/done/{group}", app.public_url),
        None => format!("{}/connect/done/{}", app.public_url, destination.integration),
    }
}

/// `/connect/done/{id}`, of an integration or of a group: "GitHub is connected."
pub async fn page(
    State(app): State<App>,
    Path(id): Path<IntegrationId>,
    SpokenLanguage(language): SpokenLanguage,
) -> Result<Response, Problem> {
    let group = id.as_str().parse::<GroupId>().ok().and_then(|group| app.connect.group_name(&group));
    let name = if let Some(name) = group {
        name.to_owned()
    } else {
        let listed = app.connect.integrations().await?.into_iter().find(|listed| listed.id == id);
        listed.ok_or_else(|| Problem::new(ProblemCode::RouteNotFound))?.entry.display_name.clone()
    };
    let title = language.with("connected_page", "integration", &name);
    Ok(note::titled(&app, language, "connected_page", title))
}
