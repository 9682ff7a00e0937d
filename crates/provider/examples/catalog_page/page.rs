//! The catalog as a page for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use claviger_provider::catalog::{Catalog, ClientAuthentication, Ends, Entry, Rotation, TokenKind};
use claviger_provider::format::template::Template;
use model::pkce::Pkce;

const HEAD: &str = "\
# Providers

Made from `crates/provider/catalog/` with `cargo run -p claviger-provider --example catalog_page`; a test sees to it that
it is not stale. How to add one: [adding-a-provider.md](adding-a-provider.md).

What a refresh does to the refresh token:

- *stays*: nothing, or the old one stays valid
- *leeway*: there is a new one, and the old one works for a while
- *until use*: there is a new one, and the old one works until the new tokens are used
- *strict*: there is a new one, and the old one is dead at once; also where nothing is documented

*Open* counts what is not taken from the vendor's documentation; each provider's section names it.

| id | name | group | client | PKCE | refresh token | access token | revocation | account | check | open |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// The whole page.
pub(crate) fn page(catalog: &Catalog) -> String {
    let mut page = HEAD.to_owned();
    // The sandbox is our own and no third party.
    let entries: Vec<_> = catalog.entries().filter(|entry| entry.id.as_str() != "sandbox").collect();
    for entry in &entries {
        page.push_str(&row(entry));
    }
    for entry in &entries {
        page.push_str(&section(entry, catalog));
    }
    page
}

fn row(entry: &Entry) -> String {
    let yes = |there: bool| if there { "yes" } else { "—" };
    let life = entry.refresh.access_token_lifetime.map_or("as answered".to_owned(), life);
    format!(
        "| [`{id}`](#{id}) | {} | {} | {} | {} | {} | {life} | {} | {} | {} | {} |\n",
        entry.display_name,
        entry.group.as_ref().map_or("—", |group| group.as_str()),
        client(entry),
        pkce(entry),
        rotation(entry),
        revocation(entry),
        yes(entry.identity.is_some()),
        yes(entry.validation.is_some()),
        entry.unverified.len(),
        id = entry.id,
    )
}

fn section(entry: &Entry, catalog: &Catalog) -> String {
    let mut lines = vec![format!("[Documentation]({})", entry.documentation)];
    if let Some(group) = entry.group.as_ref().and_then(|id| catalog.group(id)) {
        let members: Vec<_> = catalog.members(&group.id).map(|member| format!("`{}`", member.id)).collect();
        lines.push(format!("Group {}: one consent for {}", group.display_name, members.join(", ")));
    }
    for (name, parameter) in &entry.parameters {
        let default =
            parameter.default.as_ref().map_or(String::new(), |default| format!("; `{default}` by default"));
        lines.push(format!("Parameter `{name}`: {}{default}", parameter.meaning));
    }
    if let Some(regions) = &entry.regions {
        let names: Vec<_> = regions.rows.keys().map(|name| format!("`{name}`")).collect();
        lines.push(format!("Data centres: {}", names.join(", ")));
    }
    let scopes: Vec<_> = entry.default_scopes.iter().map(|scope| format!("`{scope}`")).collect();
    lines.push(format!("Scopes: {}", if scopes.is_empty() { "none".to_owned() } else { scopes.join(", ") }));
    for (name, part) in &entry.parts {
        lines.push(format!(
            "Scopes `{name}/…` bring a token pair of their own, by `{}`",
            part.scope_parameter
        ));
    }
    if let Some(resources) = &entry.resources {
        lines.push(format!("Tokens of their own for hosts in `{}`", resources.origin_suffix.join("`, `")));
    }
    lines.push(format!("Hosts: {}", hosts(entry)));
    let ages = [
        ("Refresh token lives", entry.refresh.refresh_token_lifetime),
        ("Old refresh token works for", entry.refresh.reuse_leeway),
        ("Ends when unused for", entry.refresh.inactivity),
        ("Ends, however often it is refreshed, after", entry.refresh.fixed_end),
    ];
    lines.extend(ages.into_iter().filter_map(|(what, age)| Some(format!("{what} {}", life(age?)))));
    for limit in &entry.rate_limits {
        let window = limit.window.map_or("at once".to_owned(), |window| format!("in {}", life(window)));
        lines.push(format!("At most {} {window}: {}", limit.at_most, limit.what));
    }
    let mut section = format!("\n## {}\n\n{}\n\n", entry.id, entry.display_name);
    for line in lines {
        let _ = writeln!(section, "- {line}");
    }
    if !entry.unverified.is_empty() {
        section.push_str("\nNot verified:\n\n");
        for note in &entry.unverified {
            let _ = writeln!(section, "- {note}");
        }
    }
    section
}

fn client(entry: &Entry) -> &'static str {
    match entry.client_authentication {
        ClientAuthentication::Basic => "basic",
        ClientAuthentication::Post => "post",
        ClientAuthentication::None => "public",
    }
}

fn pkce(entry: &Entry) -> &'static str {
    match entry.pkce {
        Pkce::S256 => "S256",
        Pkce::None => "—",
    }
}

fn rotation(entry: &Entry) -> &'static str {
    match entry.refresh.rotation {
        Rotation::None => "stays",
        Rotation::Leeway => "leeway",
        Rotation::UntilUse => "until use",
        Rotation::Strict => "strict",
    }
}

fn revocation(entry: &Entry) -> String {
    let Some(revocation) = &entry.revocation else { return "—".to_owned() };
    let takes = match revocation.takes {
        TokenKind::AccessToken => "access token",
        TokenKind::RefreshToken => "refresh token",
    };
    let ends = match revocation.ends {
        Ends::Token => "it",
        Ends::TokenFamily => "its family",
        Ends::Grant => "the grant",
    };
    format!("{takes}, ends {ends}")
}

/// The hosts of all addresses; an address that begins with a placeholder is named by it.
fn hosts(entry: &Entry) -> String {
    let endpoints = &entry.endpoints;
    let named = [
        &endpoints.authorize,
        &endpoints.token,
        &endpoints.refresh,
        &endpoints.revoke,
        &endpoints.introspect,
        &endpoints.userinfo,
        &endpoints.validate,
    ];
    let templates = named.into_iter().flatten().chain(&entry.api_origins).map(Template::as_str);
    let host = |template: &str| {
        let rest = template.strip_prefix("https://").unwrap_or(template);
        format!("`{}`", rest.split('/').next().unwrap_or_default())
    };
    templates.map(host).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

fn life(duration: Duration) -> String {
    let seconds = duration.as_secs();
    [(86_400, "d"), (3600, "h"), (60, "min")]
        .into_iter()
        .find(|(unit, _)| seconds.is_multiple_of(*unit))
        .map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}
