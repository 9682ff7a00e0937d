//! The rules that types can't express. Each says what is wrong and how to mend it.

use std::collections::BTreeSet;

use super::address;
use super::check_tokens;
use super::entry::{
    CHIP_NOUNS, CallAuthentication, Entry, Flow, Group, Method, Placement, RefreshBehaviour, Rotation,
    Validation,
};
use super::template::{Part, Template};

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, from the entry's table inwards, with dots.
    pub key: String,
    /// What is wrong and how to mend it.
    pub problem: String,
}

pub(super) type Checked = Result<(), Fault>;

pub(super) fn fault(key: impl Into<String>, problem: impl Into<String>) -> Checked {
    Err(Fault { key: key.into(), problem: problem.into() })
}

pub(super) fn require(holds: bool, key: &str, problem: &str) -> Checked {
    if holds { Ok(()) } else { fault(key, problem) }
}

/// Checks one group.
pub fn group(group: &Group) -> Checked {
    text("display_name", &group.display_name, 64)?;
    group.logo.as_deref().map_or(Ok(()), initials)
}

fn initials(logo: &str) -> Checked {
    let initials = (1..=3).contains(&logo.len()) && logo.bytes().all(|b| b.is_ascii_alphanumeric());
    require(initials, "logo", "write one to three letters or digits")
}

fn chips(chips: &[String]) -> Checked {
    require(chips.len() <= 8, "chips", "name at most 8 parts")?;
    for (index, chip) in chips.iter().enumerate() {
        let key = format!("chips.{index}");
        text(&key, chip, 32)?;
        let is_name = chip.chars().next().is_some_and(char::is_uppercase);
        if !is_name && !CHIP_NOUNS.contains(&chip.as_str()) {
            let known = CHIP_NOUNS.join(", ");
            return fault(key, format!("write a name with a capital letter, or one of these words: {known}"));
        }
    }
    Ok(())
}

/// Checks one entry by itself.
pub fn entry(entry: &Entry) -> Checked {
    words(entry)?;
    addresses(entry)?;
    regions(entry)?;
    parameters(entry)?;
    recipes(entry)?;
    check_tokens::entry(entry)?;
    refresh(&entry.refresh)
}

/// Checks what members of a group must have in common: one consent and one token set serve them all.
pub fn members(one: &Entry, other: &Entry) -> Checked {
    let shared = [
        ("flow", one.flow == other.flow),
        ("endpoints.authorize", one.endpoints.authorize == other.endpoints.authorize),
        ("endpoints.token", one.endpoints.token == other.endpoints.token),
        ("endpoints.refresh", one.endpoints.refresh == other.endpoints.refresh),
        ("issuer", one.issuer == other.issuer),
        ("client_authentication", one.client_authentication == other.client_authentication),
        ("pkce", one.pkce == other.pkce),
        ("scope_separator", one.scope_separator == other.scope_separator),
        ("unlisted_scopes", one.unlisted_scopes == other.unlisted_scopes),
        ("scope_aliases", one.scope_aliases == other.scope_aliases),
        ("authorize_parameters", one.authorize_parameters == other.authorize_parameters),
        ("token_parameters", one.token_parameters == other.token_parameters),
        ("token_body", one.token_body == other.token_body),
        ("parts", one.parts == other.parts),
        ("token_answer", one.token_answer == other.token_answer),
        ("errors", one.errors == other.errors),
        ("refresh", one.refresh == other.refresh),
        ("revocation", one.revocation == other.revocation),
        ("regions", one.regions == other.regions),
        ("parameters", one.parameters == other.parameters),
    ];
    match shared.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((key, _)) => {
            fault(*key, format!("must be the same as at `{}`, a member of the same group", one.id))
        }
    }
}

pub(super) fn text(key: &str, value: &str, max: usize) -> Checked {
    if value.trim().is_empty() || value.chars().count() > max || value.chars().any(char::is_control) {
        return fault(key, format!("write 1 to {max} characters, no control characters"));
    }
    Ok(())
}

fn words(entry: &Entry) -> Checked {
    text("display_name", &entry.display_name, 64)?;
    initials(&entry.logo)?;
    chips(&entry.chips)?;
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let category = (1..=32).contains(&entry.category.len()) && entry.category.bytes().all(word);
    require(category, "category", "write 1 to 32 characters of a-z 0-9 _")?;
    // A link for people may point into a page; the addresses that are called may not.
    let page = entry.documentation.split('#').next().unwrap_or_default();
    if let Err(rule) = address::callable(page) {
        return fault("documentation", rule);
    }
    let separator = matches!(entry.scope_separator.as_str(), " " | "," | "+" | ";");
    require(separator, "scope_separator", "write one of \" \", \",\", \"+\" and \";\"")?;
    let scopes = entry.default_scopes.is_well_formed() && entry.default_scopes.iter().count() <= 100;
    require(
        scopes,
        "default_scopes",
        "at most 100 scopes of printable ASCII without quotes (RFC 6749 §3.3)",
    )?;
    for note in &entry.unverified {
        text("unverified", note, 512)?;
    }
    for limit in &entry.rate_limits {
        text("rate_limits", &limit.what, 256)?;
    }
    Ok(())
}

fn addresses(entry: &Entry) -> Checked {
    let endpoints = &entry.endpoints;
    if entry.flow == Flow::Oauth2Code {
        require(
            endpoints.authorize.is_some(),
            "endpoints.authorize",
            "oauth2_code needs an authorize endpoint",
        )?;
    }
    if matches!(entry.flow, Flow::Oauth2Code | Flow::Oauth2ClientCredentials) {
        require(endpoints.token.is_some(), "endpoints.token", "this flow needs a token endpoint")?;
    }
    require(
        !entry.callback_carries_issuer || entry.issuer.is_some(),
        "callback_carries_issuer",
        "needs `issuer`, with which the callback's `iss` is compared (RFC 9207 §2.4)",
    )?;
    for (key, template, may_name_client) in templates(entry) {
        let names_client = template.placeholders().any(|name| name == "client_id");
        require(
            may_name_client || !names_client,
            &key,
            "{client_id} may stand only in `revoke` and `introspect`",
        )?;
        // A sample of each kind shows whether the address is callable once it is filled.
        let origin = template.parts().next().is_some_and(|part| matches!(part, Part::Origin(_)));
        let sample = |_: &str| Some("sample");
        let filled = if origin {
            let rest = template.as_str().split_once('}').map_or("", |(_, rest)| rest);
            require(
                rest.is_empty() || rest.starts_with('/'),
                &key,
                "put a / after a placeholder that stands for an origin",
            )?;
            Template::try_from(format!("https://sample.example{rest}"))
                .map(|rest| address::fill(&rest, sample))
        } else {
            Ok(address::fill(template, sample))
        };
        if let Ok(Err(error)) = filled {
            return fault(key, error.to_string());
        }
    }
    for (index, origin) in entry.api_origins.iter().enumerate() {
        let whole = match origin.parts().next() {
            Some(Part::Origin(_)) => origin.parts().count() == 1,
            _ => address::fill(origin, |_| Some("sample")).is_ok_and(|filled| address::is_origin(&filled)),
        };
        require(
            whole,
            &format!("api_origins.{index}"),
            "write an origin like https://api.example.com, without a path",
        )?;
    }
    Ok(())
}

/// Every template with its key, and whether `{client_id}` may stand in it.
fn templates(entry: &Entry) -> Vec<(String, &Template, bool)> {
    let endpoints = &entry.endpoints;
    let named = [
        ("issuer", &entry.issuer, false),
        ("endpoints.authorize", &endpoints.authorize, false),
        ("endpoints.token", &endpoints.token, false),
        ("endpoints.refresh", &endpoints.refresh, false),
        ("endpoints.revoke", &endpoints.revoke, true),
        ("endpoints.introspect", &endpoints.introspect, true),
        ("endpoints.userinfo", &endpoints.userinfo, false),
        ("endpoints.validate", &endpoints.validate, false),
    ];
    let named = named
        .into_iter()
        .filter_map(|(key, template, client)| Some((key.to_owned(), template.as_ref()?, client)));
    let origins = entry
        .api_origins
        .iter()
        .enumerate()
        .map(|(index, origin)| (format!("api_origins.{index}"), origin, false));
    named.chain(origins).collect()
}

fn regions(entry: &Entry) -> Checked {
    let Some(regions) = &entry.regions else { return Ok(()) };
    let Some(default) = regions.rows.get(&regions.default) else {
        return fault("regions.default", "must name one of `regions.rows`");
    };
    require(
        entry.callback_parameters.contains(&regions.callback_parameter),
        "regions.callback_parameter",
        "must be one of `callback_parameters`",
    )?;
    for (name, row) in &regions.rows {
        let key = format!("regions.rows.{name}");
        require(address::is_name(name), &key, "name a row with letters and digits")?;
        require(row.keys().eq(default.keys()), &key, "every row must fill the same placeholders")?;
        for (placeholder, value) in row {
            let valid = address::is_origin(value) || address::is_name(value);
            require(
                valid,
                &format!("{key}.{placeholder}"),
                "write an origin like https://accounts.example.com, or a name",
            )?;
        }
    }
    Ok(())
}

/// Every placeholder is explained and every explanation is of a placeholder.
fn parameters(entry: &Entry) -> Checked {
    let row = entry.regions.as_ref().and_then(|regions| regions.rows.get(&regions.default));
    let mut used = BTreeSet::new();
    for (key, template, _) in templates(entry) {
        for name in template.placeholders().filter(|name| *name != "client_id") {
            let known = entry.parameters.contains_key(name) || row.is_some_and(|row| row.contains_key(name));
            require(
                known,
                &key,
                &format!("{{{name}}} stands neither in `parameters` nor in the rows of `regions`"),
            )?;
            used.insert(name.to_owned());
        }
    }
    for (name, parameter) in &entry.parameters {
        let key = format!("parameters.{name}");
        require(used.contains(name), &key, "no address of this entry has this placeholder; remove it")?;
        require(
            row.is_none_or(|row| !row.contains_key(name)),
            &key,
            "the rows of `regions` fill it already",
        )?;
        text(&key, &parameter.meaning, 256)?;
        if let Some(default) = &parameter.default {
            let valid = address::is_origin(default) || address::is_name(default);
            require(
                valid,
                &format!("{key}.default"),
                "write an origin like https://accounts.example.com, or a name",
            )?;
        }
    }
    Ok(())
}

/// Parameters that the flow sets itself; an entry that repeated them would contradict it.
pub(super) const RESERVED: &[&str] = &[
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "scope",
    "state",
];

fn recipes(entry: &Entry) -> Checked {
    let authorize =
        entry.authorize_parameters.iter().map(|(name, value)| ("authorize_parameters", name, value));
    let token = entry.token_parameters.iter().map(|(name, value)| ("token_parameters", name, value));
    for (table, name, value) in authorize.chain(token) {
        let key = format!("{table}.{name}");
        require(!RESERVED.contains(&name.as_str()), &key, "the flow sets this parameter itself; remove it")?;
        text(&key, name, 64)?;
        text(&key, value, 512)?;
    }
    if let Some(name) = &entry.login_hint_parameter {
        text("login_hint_parameter", name, 64)?;
        let own = RESERVED.contains(&name.as_str()) || entry.authorize_parameters.contains_key(name);
        require(!own, "login_hint_parameter", "another part of the request sets this parameter already")?;
    }
    for name in entry.callback_parameters.iter().chain(&entry.token_answer.keep) {
        text("callback_parameters", name, 64)?;
    }
    for (index, rule) in entry.errors.iter().enumerate() {
        text(&format!("errors.{index}"), &rule.error, 200)?;
        if let Some(part) = &rule.description_contains {
            text(&format!("errors.{index}"), part, 200)?;
        }
    }
    calls(entry)
}

/// A recipe and its address come together.
fn calls(entry: &Entry) -> Checked {
    let endpoints = &entry.endpoints;
    let pairs = [
        ("revocation", entry.revocation.is_some(), "endpoints.revoke", endpoints.revoke.is_some()),
        (
            "introspection",
            entry.introspection.is_some(),
            "endpoints.introspect",
            endpoints.introspect.is_some(),
        ),
        ("validation", entry.validation.is_some(), "endpoints.validate", endpoints.validate.is_some()),
        ("identity", entry.identity.is_some(), "endpoints.userinfo", endpoints.userinfo.is_some()),
    ];
    for (recipe, has_recipe, endpoint, has_endpoint) in pairs {
        if has_recipe != has_endpoint {
            let (lacks, other) = if has_recipe { (endpoint, recipe) } else { (recipe, endpoint) };
            return fault(other, format!("goes with `{lacks}`, which is missing"));
        }
    }
    let revocation = entry.revocation.iter().map(|revocation| ("revocation.call", &revocation.call));
    let introspection =
        entry.introspection.iter().map(|introspection| ("introspection.call", &introspection.call));
    for (key, call) in revocation.chain(introspection) {
        text(key, &call.parameter, 64)?;
        let says_token =
            call.body != Placement::Nowhere || call.authentication == CallAuthentication::AccessToken;
        require(says_token, key, "nothing in this call carries the token; set `body` or `authentication`")?;
    }
    if let Some(revocation) = &entry.revocation {
        error_codes("revocation.gone_errors", &revocation.gone_errors)?;
    }
    entry.validation.as_ref().map_or(Ok(()), validation)
}

fn error_codes(key: &str, codes: &[String]) -> Checked {
    codes.iter().enumerate().try_for_each(|(index, code)| text(&format!("{key}.{index}"), code, 200))
}

fn validation(validation: &Validation) -> Checked {
    let asks = matches!(validation.method, Method::Get | Method::Post);
    require(asks, "validation.method", "write GET or POST: asking must not change anything")?;
    if let Some(body) = &validation.body {
        let key = "validation.body";
        require(validation.method == Method::Post, key, "goes only with `method = \"POST\"`")?;
        let json = body.len() <= 4096 && serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
        require(json, key, "write JSON of at most 4096 characters")?;
    }
    error_codes("validation.refused_errors", &validation.refused_errors)
}

fn refresh(refresh: &RefreshBehaviour) -> Checked {
    match (refresh.rotation, refresh.reuse_leeway) {
        (Rotation::Leeway, None) => fault("refresh.rotation", "`leeway` needs `reuse_leeway_seconds`"),
        (Rotation::None | Rotation::UntilUse | Rotation::Strict, Some(_)) => {
            fault("refresh.reuse_leeway_seconds", "goes only with `rotation = \"leeway\"`")
        }
        _ => Ok(()),
    }
}
