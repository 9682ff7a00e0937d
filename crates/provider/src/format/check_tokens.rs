//! The rules for calls to a provider's API, for parts and for resources.

use std::collections::BTreeSet;
use std::iter;

use model::Scopes;

use super::address;
use super::check::{Checked, RESERVED, fault, require, text};
use super::entry::{Entry, Method};

/// Headers that a call sets itself.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Checks one entry by itself.
pub fn entry(entry: &Entry) -> Checked {
    api_headers(entry)?;
    identity(entry)?;
    parts(entry)?;
    scopes(entry)?;
    kept(entry)?;
    resources(entry)
}

fn api_headers(entry: &Entry) -> Checked {
    for (name, value) in &entry.api_headers {
        let key = format!("api_headers.{name}");
        let named = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        require(named, &key, "name a header with A-Z a-z 0-9 and -")?;
        let name = name.to_ascii_lowercase();
        let own = OWN_HEADERS.contains(&name.as_str()) || name == entry.access_header.name();
        require(!own, &key, "the call sets this header itself; remove it")?;
        text(&key, value, 256)?;
        require(value.bytes().all(|b| matches!(b, b' '..=b'~')), &key, "write printable ASCII")?;
    }
    let names: BTreeSet<_> = entry.api_headers.keys().map(|name| name.to_ascii_lowercase()).collect();
    require(names.len() == entry.api_headers.len(), "api_headers", "a header stands twice; remove one")
}

fn identity(entry: &Entry) -> Checked {
    let Some(identity) = &entry.identity else { return Ok(()) };
    require(identity.method != Method::Delete, "identity.method", "write GET or POST")?;
    if let Some(body) = &identity.body {
        require(identity.method == Method::Post, "identity.body", "goes only with `method = \"POST\"`")?;
        text("identity.body", body, 2048)?;
        let json = serde_json::from_str::<serde_json::Value>(body).is_ok_and(|value| value.is_object());
        require(json, "identity.body", "write a JSON object")?;
    }
    Ok(())
}

fn parts(entry: &Entry) -> Checked {
    let mut parameters = BTreeSet::new();
    for (name, part) in &entry.parts {
        let key = format!("parts.{name}");
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        require(
            (1..=32).contains(&name.len()) && name.bytes().all(word),
            &key,
            "name a part with 1 to 32 characters of a-z 0-9 _",
        )?;
        let key = format!("{key}.scope_parameter");
        let parameter = &part.scope_parameter;
        text(&key, parameter, 64)?;
        let set = RESERVED.contains(&parameter.as_str())
            || entry.authorize_parameters.contains_key(parameter)
            || entry.login_hint_parameter.as_ref() == Some(parameter)
            || !parameters.insert(parameter);
        require(!set, &key, "another part of the request sets this parameter already")?;
        require(
            part.access_token != entry.token_answer.access_token,
            &format!("parts.{name}.access_token"),
            "the first pair's access token stands there; name the part's own",
        )?;
        require(
            part.refresh_token.as_ref() != Some(&entry.token_answer.refresh_token),
            &format!("parts.{name}.refresh_token"),
            "the first pair's refresh token stands there; name the part's own",
        )?;
    }
    Ok(())
}

fn scopes(entry: &Entry) -> Checked {
    let rule = "write scopes of printable ASCII without quotes (RFC 6749 §3.3)";
    require(entry.unlisted_scopes.is_well_formed(), "unlisted_scopes", rule)?;
    for (other, own) in &entry.scope_aliases {
        let fits = [other, own].iter().all(|scope| !scope.is_empty() && scope.len() <= 256);
        let names = Scopes::from(vec![other.clone(), own.clone()]);
        require(fits && names.is_well_formed(), &format!("scope_aliases.{other}"), rule)?;
    }
    let nameless = entry.default_scopes.iter().any(|scope| entry.part_of(scope).1.is_empty());
    require(!nameless, "default_scopes", "write a scope after the part's name and the slash")
}

/// What is kept is handed out beside the token; no token must come along.
fn kept(entry: &Entry) -> Checked {
    let recipe = &entry.token_answer;
    let parts =
        entry.parts.values().flat_map(|part| iter::once(&part.access_token).chain(&part.refresh_token));
    let tokens = [&recipe.access_token, &recipe.refresh_token].into_iter().chain(parts);
    let outermost: BTreeSet<_> = tokens.filter_map(|path| path.steps().next()).collect();
    let secret = recipe.keep.iter().any(|name| outermost.contains(name.as_str()));
    require(!secret, "token_answer.keep", "tokens are kept anyway, and what surrounds them is not; remove it")
}

fn resources(entry: &Entry) -> Checked {
    let Some(resources) = &entry.resources else { return Ok(()) };
    let count = |items: usize| (1..=16).contains(&items);
    require(count(resources.origin_suffix.len()), "resources.origin_suffix", "name one to sixteen")?;
    require(count(resources.scopes.len()), "resources.scopes", "name one to sixteen")?;
    for (index, suffix) in resources.origin_suffix.iter().enumerate() {
        let domain = suffix.strip_prefix('.').is_some_and(|domain| {
            // One label alone would be a whole top-level domain.
            domain.contains('.')
                && address::is_name(domain)
                && domain.bytes().all(|b| !b.is_ascii_uppercase())
        });
        require(
            domain,
            &format!("resources.origin_suffix.{index}"),
            "write the end of a host name like .example.com, in lower case",
        )?;
    }
    for (index, scope) in resources.scopes.iter().enumerate() {
        let filled = scope.replace("{resource}", "https://sample.example");
        let plain = !filled.is_empty() && !filled.contains(['{', '}']);
        if !plain || !Scopes::from(vec![filled]).is_well_formed() {
            return fault(
                format!("resources.scopes.{index}"),
                "write a scope of printable ASCII without quotes; {resource} stands for the resource's origin",
            );
        }
    }
    let named = resources.scopes.iter().any(|scope| scope.contains("{resource}"));
    require(named, "resources.scopes", "at least one must name the {resource}")
}
