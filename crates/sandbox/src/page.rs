//! What a person reads: the consent, a refusal, and what this place is. No script anywhere.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::account::Account;
use crate::language::{Fault, Language, Words};
use crate::parameters::Parameters;
use crate::profile::{Profile, Provider, Site};
use crate::sandbox::Sandbox;

/// A request that can't go on, and whose app can't be told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed,
    UnknownClient,
    MissingRedirectUri,
    UnknownRedirectUri,
    OtherOrigin,
}

impl Refusal {
    /// What the log says.
    pub(crate) fn reason(self) -> &'static str {
        self.fault(Language::English.words()).reason
    }

    fn fault(self, words: &'static Words) -> Fault {
        match self {
            Self::Malformed => words.malformed,
            Self::UnknownClient => words.unknown_client,
            Self::MissingRedirectUri => words.missing_redirect_uri,
            Self::UnknownRedirectUri => words.unknown_redirect_uri,
            Self::OtherOrigin => words.other_origin,
        }
    }
}

/// What a person is asked.
pub(crate) struct Question<'a> {
    pub(crate) app: &'a str,
    /// Where one is played.
    pub(crate) provider: Option<&'static dyn Provider>,
    /// Where the decision is sent.
    pub(crate) action: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a Url,
    pub(crate) scopes: &'a [String],
    pub(crate) accounts: &'a [Account],
    /// The id of the account that is marked.
    pub(crate) chosen: &'a str,
    /// The parameters of the request, to be sent again with the decision.
    pub(crate) request: Vec<(&'a str, &'a str)>,
}

/// Where a person is: at the sandbox itself, or at somebody whom it plays.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) initials: String,
    /// What the page says beside the name, where somebody is played.
    pub(crate) played_by: Option<&'static str>,
}

impl Place {
    fn own(words: &'static Words) -> Self {
        let initials = words.sandbox.chars().take(1).collect();
        Self { name: words.sandbox, initials, played_by: None }
    }

    /// At somebody with this name.
    pub(crate) fn played(name: &'static str, words: &'static Words) -> Self {
        Self { name, initials: initials(name), played_by: Some(words.played_by) }
    }

    fn of(provider: Option<&'static dyn Provider>, words: &'static Words) -> Self {
        provider.map_or_else(|| Self::own(words), |provider| Self::played(provider.title(), words))
    }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    words: &'static Words,
    path: &'a str,
    place: Place,
    question: &'a Question<'a>,
    title: String,
    heading: String,
    note: String,
    will: String,
    until: String,
    initials: String,
    permissions: Vec<(&'static str, Option<&'a str>)>,
    returns_to: String,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    words: &'static Words,
    path: &'a str,
    place: Place,
    fault: Fault,
    /// What the request said of itself, with the names of its parameters.
    said: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    words: &'static Words,
    path: &'a str,
    place: Place,
    base: &'a str,
    accounts: Vec<Account>,
    profiles: Vec<(&'static str, &'static str, Vec<String>)>,
}

/// The consent page.
pub(crate) fn consent(question: &Question<'_>, language: Language, path: &str) -> Response {
    let words = language.words();
    let named = |message: &str| message.replace("{app}", question.app);
    let (heading, note) = match question.provider {
        Some(_) => (words.played_heading, words.played_note),
        None => (words.consent_heading, words.own_note),
    };
    let place = Place::of(question.provider, words);
    let at = |message: &str| message.replace("{provider}", place.name);
    let page = ConsentPage {
        words,
        path,
        question,
        title: named(words.consent_title),
        heading: named(&at(heading)),
        note: at(note),
        will: named(words.will),
        until: named(words.until),
        initials: initials(question.app),
        permissions: permissions(question, language),
        returns_to: host(question.redirect_uri),
        place,
    };
    // Chromium holds the redirects that follow a form to form-action, all of them: the app's, and those by which the app
    // sends the person on to pages of its own on other hosts. So the scheme is as much as can be named.
    let form_action = format!("'self' {}:", question.redirect_uri.scheme());
    html(StatusCode::OK, &page, language, &form_action)
}

/// What the app will be able to do, each once: a phrase, and the scope itself where nobody put it into words.
fn permissions<'a>(question: &Question<'a>, language: Language) -> Vec<(&'static str, Option<&'a str>)> {
    let words = language.words();
    let mut said: Vec<(&'static str, Option<&'a str>)> = Vec::new();
    for scope in question.scopes {
        let played = question.provider.and_then(|provider| provider.permission(scope, language));
        let phrase = match played.or_else(|| words.permission(scope)) {
            Some(phrase) => (phrase, None),
            None => (words.other_scope, Some(scope.as_str())),
        };
        if !said.contains(&phrase) {
            said.push(phrase);
        }
    }
    if said.is_empty() {
        said.push((words.no_scope, None));
    }
    said
}

/// Why it can't go on, for the person and the developer.
pub(crate) fn refusal(
    refusal: Refusal,
    request: Option<&Parameters>,
    site: Option<&Site>,
    language: Language,
    path: &str,
) -> Response {
    let words = language.words();
    let place = Place::of(site.map(|site| site.profile.provider()), words);
    let said = ["client_id", "redirect_uri"]
        .into_iter()
        .filter_map(|name| Some((name, shortened(request?.get(name)?))))
        .collect();
    let status =
        if refusal == Refusal::OtherOrigin { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    html(status, &RefusalPage { words, path, place, fault: refusal.fault(words), said }, language, "'none'")
}

/// `GET /`: what this place is.
pub(crate) async fn home(State(sandbox): State<Sandbox>, headers: HeaderMap) -> Response {
    let language = Language::of(&headers);
    let words = language.words();
    let page = HomePage {
        words,
        path: sandbox.path(),
        place: Place::own(words),
        base: sandbox.base(),
        accounts: Account::residents(),
        profiles: Profile::ALL
            .map(|profile| (profile.provider().title(), profile.name(), profile.hosts()))
            .into(),
    };
    html(StatusCode::OK, &page, language, "'none'")
}

/// `GET /assets/sandbox.css`.
pub(crate) async fn stylesheet() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("../assets/sandbox.css")).into_response()
}

/// A page in its language, with a policy that lets forms go only where it says.
pub(crate) fn html(
    status: StatusCode,
    page: &impl Template,
    language: Language,
    form_action: &str,
) -> Response {
    let body = match page.render() {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "sandbox.page_not_rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.words().tag),
        (header::VARY, "Accept-Language"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
    ];
    (status, headers, body).into_response()
}

/// Where [`home`] is: a nested router answers at its prefix without a slash.
pub(crate) fn home_link(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// Host and port for the web, the scheme for an app on the device.
fn host(redirect_uri: &Url) -> String {
    match redirect_uri.authority() {
        "" => format!("{}:", redirect_uri.scheme()),
        authority => authority.to_owned(),
    }
}

/// What a page repeats of a request.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Up to two letters for the mark: of two words, of a word with a capital inside, or the first two.
pub(crate) fn initials(name: &str) -> String {
    let mut words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or("?");
    let inner = |first: &str| first.chars().skip(1).find(|c| c.is_uppercase()).or(first.chars().nth(1));
    let second = words.next().map_or_else(|| inner(first), |second| second.chars().next());
    first.chars().take(1).chain(second).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_has_the_apps_initials() {
        for (name, expected) in
            [("Claviger", "CL"), ("GitHub", "GH"), ("my shop", "MS"), ("x", "X"), ("--", "?"), ("õun", "ÕU")]
        {
            assert_eq!(initials(name), expected, "{name}");
        }
    }

    #[test]
    fn an_app_on_the_device_is_named_by_its_scheme() {
        assert_eq!(host(&Url::parse("com.example.app:/callback").unwrap()), "com.example.app:");
        assert_eq!(host(&Url::parse("http://127.0.0.1:8976/callback").unwrap()), "127.0.0.1:8976");
    }
}
