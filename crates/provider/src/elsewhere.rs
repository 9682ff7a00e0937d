//! A provider of the catalog at another address: its facts unchanged, so that something else can play it.

use model::ProviderId;
use toml::{Table, Value};

use crate::catalog::BUILT_IN;
use crate::format::address;

/// The text of a catalog file in which the built-in entry `id` stands with every address of the provider moved to
/// `base`: `https://HOST/PATH` becomes `{base}/at/HOST/PATH`, and its API and its issuer are `base`. Its group and the
/// group's other members stand there too, moved likewise, since members must agree; `id` comes first. A parameter that
/// stood for an origin stands for the origin's host.
///
/// `None` for an unknown id, or when `base` is no origin (RFC 6454 §6.2) that may be called.
pub fn elsewhere(id: &ProviderId, base: &str) -> Option<String> {
    if !address::is_origin(base) {
        return None;
    }
    let files: Vec<Table> = BUILT_IN.iter().filter_map(|(_, text)| text.parse().ok()).collect();
    let tables =
        |name: &'static str| files.iter().filter_map(move |file| file.get(name)?.as_array()).flatten();
    let text = |table: &Value, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);

    let (own, others): (Vec<_>, Vec<_>) =
        tables("provider").partition(|entry| text(entry, "id").as_deref() == Some(id.as_str()));
    let own = own.first()?;
    let group = text(own, "group");
    let companion = |entry: &&&Value| group.is_some() && text(entry, "group") == group;
    let members = others.iter().filter(companion).copied();
    let groups = tables("group").filter(|table| group.is_some() && text(table, "id") == group);

    let mut file = Table::new();
    file.insert("group".to_owned(), groups.cloned().collect::<Vec<_>>().into());
    let moved = std::iter::once(*own).chain(members).cloned().map(|entry| moved(entry, base));
    file.insert("provider".to_owned(), moved.collect::<Option<Vec<_>>>()?.into());
    toml::to_string(&file).ok()
}

fn moved(entry: Value, base: &str) -> Option<Value> {
    let Value::Table(mut entry) = entry else { return None };
    let mut names = String::new();
    if let Some(Value::Table(endpoints)) = entry.get_mut("endpoints") {
        for endpoint in texts(endpoints) {
            *endpoint = format!("{base}/at/{}", host_and_path(endpoint));
            names.push_str(endpoint);
        }
    }
    if let Some(Value::Table(rows)) = entry.get_mut("regions").and_then(|regions| regions.get_mut("rows")) {
        for value in rows.iter_mut().filter_map(|(_, row)| row.as_table_mut()).flat_map(texts) {
            *value = host_and_path(value).to_owned();
        }
    }
    if let Some(Value::Table(parameters)) = entry.get_mut("parameters") {
        for parameter in parameters.iter_mut().filter_map(|(_, parameter)| parameter.as_table_mut()) {
            if let Some(Value::String(default)) = parameter.get_mut("default") {
                *default = host_and_path(default).to_owned();
            }
        }
        parameters.retain(|name, _| names.contains(&format!("{{{name}}}")));
    }
    if entry.contains_key("issuer") {
        entry.insert("issuer".to_owned(), base.into());
    }
    entry.insert("api_origins".to_owned(), vec![base].into());
    Some(Value::Table(entry))
}

fn texts(table: &mut Table) -> impl Iterator<Item = &mut String> {
    table.iter_mut().filter_map(|(_, value)| match value {
        Value::String(text) => Some(text),
        _ => None,
    })
}

fn host_and_path(address: &str) -> &str {
    address.strip_prefix("https://").unwrap_or(address)
}
