//! Lists, page by page: `limit`, `starting_after`.

use serde_json::{Value, json};

use super::form::Form;
use super::problem::Problem;

/// The parameters of every list.
pub(super) const PARAMETERS: &[&str] = &["limit", "starting_after"];

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;

/// One page of what is there, newest first.
pub(super) fn page<'a, T: 'a>(
    form: &Form,
    url: &str,
    items: impl Iterator<Item = (&'a str, &'a T)>,
    json: impl Fn(&T) -> Value,
) -> Result<Value, Problem> {
    let limit = form.integer("limit")?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::invalid("The limit is from 1 to 100.").at("limit"));
    }
    let limit = usize::try_from(limit).unwrap_or_default();
    let mut items = items.peekable();
    if let Some(after) = form.text("starting_after")?
        && !items.any(|(id, _)| id == after)
    {
        return Err(Problem::no_such_reference("object", after, "starting_after"));
    }
    let data: Vec<Value> = items.by_ref().take(limit).map(|(_, item)| json(item)).collect();
    Ok(json!({"object": "list", "url": url, "has_more": items.next().is_some(), "data": data}))
}
