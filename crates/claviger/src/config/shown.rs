//! The configuration as people may see it: what is secret stays hidden, whichever layer it came from.

use toml::{Table, Value};
use url::form_urlencoded;

use super::ConfigError;
use super::layers::{Layers, Origin, defaults};
use super::secret::Place;

const LITERAL: &str = "(literal, hidden)";
const HIDDEN: &str = "(hidden)";

/// Settings that are secrets; `*` is any name.
const SECRETS: [&[&str]; 14] = [
    &["key"],
    &["limit_store"],
    &["mail", "username"],
    &["mail", "password"],
    &["stripe", "secret_key"],
    &["stripe", "webhook_secrets"],
    &["grant", "login", "gotrue", "api_key"],
    &["grant", "login", "handoff", "secret"],
    &["grant", "login", "http", "secret"],
    &["grant", "login", "oidc", "*", "client_secret"],
    &["applications", "*", "client_secret"],
    &["applications", "*", "previous_client_secret"],
    &["groups", "*", "client_secret"],
    &["integrations", "*", "client_secret"],
];

/// Addresses whose queries may be secrets.
const PAGES: [&[&str]; 1] = [&["grant", "login", "handoff", "url"]];

/// Addresses of databases: secrets for their passwords' sake, and shown without them.
const DATABASES: [&[&str]; 2] = [&["database", "url"], &["database", "migrate_url"]];

/// Options in the address of a database that say nothing secret.
const OPEN_OPTIONS: [&str; 9] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
];

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    /// Its names from the outside in.
    pub(crate) path: Vec<String>,
    /// What may be seen of it.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// Whether it is what the program would do anyway.
    pub(crate) is_default: bool,
}

/// Every setting that has a value, by name.
pub(crate) fn settings(layers: &Layers) -> Result<Vec<Setting>, ConfigError> {
    let (mut path, mut found) = (Vec::new(), Vec::new());
    walk(layers, &layers.table, Some(&defaults()?), &mut path, &mut found);
    Ok(found)
}

fn walk<'a>(
    layers: &Layers,
    table: &'a Table,
    defaults: Option<&Table>,
    path: &mut Vec<&'a str>,
    found: &mut Vec<Setting>,
) {
    for (name, value) in table {
        path.push(name);
        let default = defaults.and_then(|defaults| defaults.get(name));
        if let Value::Table(inner) = value {
            walk(layers, inner, default.and_then(Value::as_table), path, found);
        } else {
            found.push(Setting {
                path: path.iter().map(|&name| name.to_owned()).collect(),
                value: shown(path, value),
                origin: layers.origin(path),
                is_default: default == Some(value),
            });
        }
        path.pop();
    }
}

fn shown(path: &[&str], value: &Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.iter().map(|value| shown(path, value)).collect()),
        Value::String(text) if matches(&DATABASES, path) => database(text).into(),
        Value::String(text) if matches(&SECRETS, path) => place(text, |_| LITERAL.to_owned()).into(),
        Value::String(text) if matches(&PAGES, path) => place(text, without_query).into(),
        Value::String(text) => place(text, without_password).into(),
        other => other.clone(),
    }
}

fn matches(patterns: &[&[&str]], path: &[&str]) -> bool {
    let same = |(pattern, name): (&&str, &&str)| *pattern == "*" || pattern == name;
    patterns.iter().any(|pattern| pattern.len() == path.len() && pattern.iter().zip(path).all(same))
}

/// A place as it was written; of a command the program alone, since its arguments may be secrets.
fn place(text: &str, literal: impl FnOnce(&str) -> String) -> String {
    match Place::from(text.to_owned()) {
        Place::Env(_) | Place::File(_) => text.to_owned(),
        Place::Command(command) => format!("cmd:{} …", command.split_whitespace().next().unwrap_or_default()),
        Place::Literal(_) => literal(text),
    }
}

fn database(text: &str) -> String {
    place(text, |text| match text.split_once(':') {
        Some(("sqlite", _)) => text.to_owned(),
        Some(("postgres" | "postgresql", _)) => postgres(text).unwrap_or_else(|| LITERAL.to_owned()),
        _ => LITERAL.to_owned(),
    })
}

/// `None` where it can't be told what is a password and what is not.
fn postgres(text: &str) -> Option<String> {
    let (base, options) = text.split_once('?').unwrap_or((text, ""));
    let base = without_password(base);
    if base.matches('@').count() > 1 || options.contains('@') {
        return None;
    }
    let options = form_urlencoded::parse(options.as_bytes()).map(|(name, value)| {
        let value = if OPEN_OPTIONS.contains(&&*name) { &*value } else { HIDDEN };
        format!("{name}={value}")
    });
    let options: Vec<String> = options.collect();
    Some(if options.is_empty() { base } else { format!("{base}?{}", options.join("&")) })
}

/// An address without the password in it (RFC 3986 §3.2.1); any other text as it is. What follows the last `@` is certainly
/// no password.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return text.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{scheme}://{name}:{HIDDEN}@{host}"),
        None => text.to_owned(),
    }
}

/// An address without the password and the query in it.
fn without_query(text: &str) -> String {
    let text = without_password(text);
    match text.split_once('?') {
        Some((base, _)) => format!("{base}?{HIDDEN}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::layers::{DEFAULTS, set};

    /// The path of every setting that claviger.default.toml describes, also of those that it leaves out.
    fn described() -> Vec<Vec<String>> {
        let (mut section, mut paths) = (Vec::new(), Vec::new());
        for line in DEFAULTS.lines() {
            let line = line.strip_prefix("# ").unwrap_or(line);
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.split('.').map(str::to_owned).collect();
            } else if let Some((name, _)) = line.split_once(" = ")
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                paths.push([section.clone(), vec![name.to_owned()]].concat());
            }
        }
        paths
    }

    fn takes(path: &[String], value: &str) -> bool {
        let mut table = defaults().unwrap();
        // None is without these.
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let needed: &[&str] = match names.as_slice() {
            ["applications", ..] => &["client_id"],
            ["grant", "login", "http", _] => &["url", "secret"],
            ["grant", "login", "handoff", _] => &["url", "secret", "label"],
            ["grant", "login", "gotrue", _] => &["url", "api_key"],
            ["grant", "login", "oidc", ..] => &["issuer", "client_id"],
            _ => &[],
        };
        for name in needed {
            let beside = [&path[..path.len() - 1], &[(*name).to_owned()]].concat();
            set(&mut table, &beside, "env:B".into());
        }
        set(&mut table, path, format!("x = {value}").parse::<Table>().unwrap()["x"].clone());
        table.try_into::<Config>().is_ok()
    }

    #[test]
    fn every_setting_that_may_be_a_secret_is_known_as_one() {
        let described = described();
        assert!(described.len() > 50, "{described:?}");
        let mut secrets = 0;
        for path in &described {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let source = takes(path, "'env:A'") && takes(path, "['env:A']");
            // RFC 6749 §2.2: a client identifier is not a secret.
            if (source || takes(path, "[['env:A']]")) && names.last() != Some(&"client_id") {
                assert!(matches(&SECRETS, &names) || matches(&DATABASES, &names), "{path:?} would be shown");
                secrets += 1;
            }
        }
        assert_eq!(secrets, SECRETS.len() + DATABASES.len());
    }

    #[test]
    fn a_place_is_shown_as_it_was_written_and_a_secret_never() {
        for (path, written, expected) in [
            (&["key"][..], "hunter2", LITERAL),
            (&["key"], "env:CLAVIGER_KEY", "env:CLAVIGER_KEY"),
            (&["key"], "file:/etc/key", "file:/etc/key"),
            (&["key"], "cmd:pass --with hunter2", "cmd:pass …"),
            (&["integrations", "github", "client_secret"], "hunter2", LITERAL),
            (&["integrations", "github", "client_id"], "Iv1.x", "Iv1.x"),
            (&["database", "url"], "sqlite:/var/lib/x.db", "sqlite:/var/lib/x.db"),
            (&["database", "url"], "postgres://u:hunter2@h/d", "postgres://u:(hidden)@h/d"),
            (&["database", "url"], "postgres://u@h/d?sslmode=disable", "postgres://u@h/d?sslmode=disable"),
            (&["database", "url"], "postgres://u@h/d?password=hunter2", "postgres://u@h/d?password=(hidden)"),
            (&["database", "url"], "postgres://u:hun/ter2@h/d", "postgres://u:(hidden)@h/d"),
            (&["database", "url"], "postgres://u:hun?ter2@h/d", LITERAL),
            (&["database", "url"], "postgres://u:hun@ter2@h,i/d", "postgres://u:(hidden)@h,i/d"),
            (&["database", "migrate_url"], "hunter2", LITERAL),
            (&["stripe", "api_base"], "https://u:hunter2@h", "https://u:(hidden)@h"),
            (&["grant", "login", "handoff", "url"], "https://h/in", "https://h/in"),
            (&["grant", "login", "handoff", "url"], "https://h/in?key=hunter2", "https://h/in?(hidden)"),
            (
                &["grant", "login", "handoff", "url"],
                "https://u:hun?ter2@h/in?x",
                "https://u:(hidden)@h/in?(hidden)",
            ),
            (&["public_url"], "https://auth.rowan.example", "https://auth.rowan.example"),
        ] {
            assert_eq!(shown(path, &written.into()), Value::from(expected), "{written}");
        }
        let several = Value::from(vec!["env:A", "hunter2"]);
        assert_eq!(shown(&["stripe", "webhook_secrets"], &several), Value::from(vec!["env:A", LITERAL]));
    }
}
