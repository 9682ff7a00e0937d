//! The authorization endpoint (RFC 6749 §4.1.1):
//!
//! 1. the app and its redirect URI are checked: what is wrong there is told on a page, never by a redirect (§4.1.2.1)
//! 2. the rest of the request is checked: what is wrong there goes back to the app
//! 3. the person decides, unless `approve` decides for everybody
//! 4. the browser goes back with a code or `access_denied`, with `state` and `iss` (RFC 9207)
//!
//! Where a provider is played, its profile reads the scopes, decides whether there will be a refresh token, and adds to
//! the callback; all checks are the same.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use crate::account::Account;
use crate::app::App;
use crate::call::{self, At, Call, Caller, Endpoint};
use crate::clock;
use crate::consent::{Consent, Prefixes, Terms};
use crate::grants::NewCode;
use crate::language::Language;
use crate::page::{self, Question, Refusal};
use crate::parameters::Parameters;
use crate::pkce;
use crate::profile::{Profile, Provider, Site, Wish};
use crate::same_origin;
use crate::sandbox::Sandbox;
use crate::scope;
use crate::settings::{Approve, Settings};

/// Longer than any honest request.
const MAX_QUERY: usize = 16 * 1024;

/// The error where a person or the control leaves nothing of what was asked for.
const NONE_GRANTED: (&str, &str) = ("invalid_scope", "None of these scopes is granted here.");

/// The form's own fields; all others are the request's.
const DECISION: &str = "decision";
const ACCOUNT: &str = "account";

/// `GET /oauth/authorize`: the request.
pub(crate) async fn get(
    State(sandbox): State<Sandbox>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    ask(&sandbox, None, query.as_deref(), &headers).await
}

/// A request to the sandbox or to a provider that it plays.
pub(crate) async fn ask(
    sandbox: &Sandbox,
    site: Option<&Site>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let parameters = match query.len() {
        0..=MAX_QUERY => Parameters::parse(query.as_bytes()).map_err(|_| Refusal::Malformed),
        _ => Err(Refusal::Malformed),
    };
    answer(sandbox, site, headers, parameters, None).await
}

/// `POST /oauth/authorize`: the same request again, with what the person decided.
pub(crate) async fn post(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    decide(&sandbox, None, &headers, body).await
}

/// A decision, at the sandbox or at a provider that it plays.
pub(crate) async fn decide(
    sandbox: &Sandbox,
    site: Option<&Site>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let parameters = match same_origin::check(&Method::POST, headers, sandbox.authority()) {
        Ok(()) => call::read_form(headers, body).map_err(|_| Refusal::Malformed),
        Err(_) => Err(Refusal::OtherOrigin),
    };
    let decision = parameters.as_ref().ok().and_then(|parameters| match parameters.get(DECISION) {
        Some("approve") => Some(Decision::Approve),
        Some("deny") => Some(Decision::Deny),
        _ => None,
    });
    answer(sandbox, site, headers, parameters, decision).await
}

#[derive(Clone, Copy)]
enum Decision {
    Approve,
    Deny,
}

async fn answer(
    sandbox: &Sandbox,
    site: Option<&Site>,
    headers: &HeaderMap,
    parameters: Result<Parameters, Refusal>,
    decision: Option<Decision>,
) -> Response {
    let language = Language::of(headers);
    let client_id = parameters.as_ref().ok().and_then(|parameters| parameters.get("client_id"));
    let at = At { endpoint: Endpoint::Authorize, site };
    call::run(sandbox, at, Caller::Client { id: client_id, grant_type: None }, |call| {
        let result = match &parameters {
            Ok(parameters) => authorize(call, parameters, decision, language, sandbox.path()),
            Err(refusal) => Err(*refusal),
        };
        Ok(result.unwrap_or_else(|refusal| {
            "refused".clone_into(&mut call.row.outcome);
            call.row.description = Some(refusal.reason());
            page::refusal(refusal, parameters.as_ref().ok(), site, language, sandbox.path())
        }))
    })
    .await
}

fn authorize(
    call: &mut Call<'_>,
    parameters: &Parameters,
    decision: Option<Decision>,
    language: Language,
    path: &str,
) -> Result<Response, Refusal> {
    let request = Request::read(call, parameters)?;
    let wanted = match request.check(call.settings) {
        Ok(wanted) => wanted,
        Err((code, description)) => return Ok(request.fail(call, code, description)),
    };
    let (offered, chosen) = accounts(call.settings, parameters);
    let decision = match (decision, call.settings.approve) {
        (Some(decision), _) => decision,
        (None, Approve::Auto) => Decision::Approve,
        (None, Approve::Deny) => Decision::Deny,
        (None, Approve::Ask) => {
            "asked".clone_into(&mut call.row.outcome);
            return Ok(page::consent(
                &Question {
                    app: request.app.name(request.client_id),
                    provider: call.site.map(|site| site.profile.provider()),
                    action: &match call.site {
                        Some(site) => format!("{path}/at/{}{}", site.host, site.path),
                        None => format!("{path}/oauth/authorize"),
                    },
                    client_id: request.client_id,
                    redirect_uri: &request.redirect_uri,
                    scopes: &wanted.asked,
                    accounts: &offered,
                    chosen: &chosen.id,
                    request: parameters
                        .sorted()
                        .into_iter()
                        .filter(|(name, _)| ![DECISION, ACCOUNT].contains(name))
                        .collect(),
                },
                language,
                path,
            ));
        }
    };
    let account = match parameters.get(ACCOUNT) {
        Some(named) => {
            offered.into_iter().find(|account| account.answers_to(named)).ok_or(Refusal::Malformed)?
        }
        None => chosen,
    };
    call.row.account = Some(account.email.clone());
    Ok(match decision {
        Decision::Approve => request.approve(call, &account, wanted),
        Decision::Deny => request.fail(call, "access_denied", "The person did not allow it."),
    })
}

/// A request whose app and redirect URI are good, so that errors can go back to the app.
struct Request<'a> {
    client_id: &'a str,
    app: &'a App,
    /// The app's, where one is played.
    provider: Option<&'static dyn Provider>,
    redirect_uri: Url,
    parameters: &'a Parameters,
}

/// What a good request leads to.
struct Wanted {
    /// What the app asked for, and the person is shown.
    asked: Vec<String>,
    /// What it gets of that.
    granted: Vec<String>,
    prefixes: Prefixes,
    /// What a second pair of tokens gets, where the provider issues two.
    second: Option<(Vec<String>, Prefixes)>,
    code_challenge: Option<String>,
}

impl<'a> Request<'a> {
    /// Step 1.
    fn read(call: &Call<'a>, parameters: &'a Parameters) -> Result<Self, Refusal> {
        if parameters.is_repeated("client_id") || parameters.is_repeated("redirect_uri") {
            return Err(Refusal::Malformed);
        }
        let client_id = parameters.get("client_id").ok_or(Refusal::UnknownClient)?;
        let app = call.app(client_id).ok_or(Refusal::UnknownClient)?;
        let redirect_uri = parameters.get("redirect_uri").ok_or(Refusal::MissingRedirectUri)?;
        if !app.allows(redirect_uri) {
            return Err(Refusal::UnknownRedirectUri);
        }
        let redirect_uri = Url::parse(redirect_uri).map_err(|_| Refusal::UnknownRedirectUri)?;
        let provider = app.profile.map(Profile::provider);
        Ok(Self { client_id, app, provider, redirect_uri, parameters })
    }

    /// Step 2: RFC 6749 §4.1.2.1. Fails with the error code and a description.
    fn check(&self, settings: &Settings) -> Result<Wanted, (&'static str, &'static str)> {
        let invalid = |description| ("invalid_request", description);
        if self.parameters.any_repeated() {
            return Err(invalid("A parameter is repeated."));
        }
        match self.parameters.get("response_type") {
            Some("code") => {}
            Some(_) => {
                return Err(("unsupported_response_type", "Only the response_type code is known here."));
            }
            None if self.provider.is_some_and(Provider::knows_only_codes) => {}
            None => return Err(invalid("The response_type is missing.")),
        }
        let code_challenge = pkce::challenge(self.parameters, settings.pkce).map_err(invalid)?;
        if let Some(provider) = self.provider {
            let wish = provider.wish(self.parameters, settings)?;
            return wanted(wish, code_challenge, settings).ok_or(NONE_GRANTED);
        }
        let text = self.parameters.get("scope").unwrap_or(scope::DEFAULT);
        let asked = scope::parse(text, &settings.scope_separator)
            .filter(|scopes| !scopes.is_empty())
            .ok_or(("invalid_scope", "The scope is malformed."))?;
        let mut granted = asked.clone();
        granted.retain(|scope| is_granted(settings, scope));
        if granted.is_empty() {
            return Err(NONE_GRANTED);
        }
        Ok(Wanted { asked, granted, prefixes: Prefixes::OWN, second: None, code_challenge })
    }

    fn approve(&self, call: &mut Call<'_>, account: &Account, wanted: Wanted) -> Response {
        "approved".clone_into(&mut call.row.outcome);
        call.row.scopes = Some(wanted.granted.clone());
        let consent = |scopes: Vec<String>, terms: Terms| Consent {
            client_id: self.client_id.to_owned(),
            account: account.clone(),
            scopes,
            terms,
        };
        let (terms, extras) = self.terms(call, account, &wanted);
        let code = call.grants.issue_code(NewCode {
            consent: consent(wanted.granted, terms),
            second: wanted.second.map(|(scopes, prefixes)| consent(scopes, Terms { prefixes, ..terms })),
            redirect_uri: self.parameters.get("redirect_uri").unwrap_or_default().to_owned(),
            code_challenge: wanted.code_challenge,
            expires_at: clock::after(call.now, call.settings.code_ttl),
        });
        let answer = [("code", code.as_str())].into_iter();
        let extras = extras.iter().map(|(name, value)| (*name, value.as_str()));
        self.redirect(call, answer.chain(extras).collect::<Vec<_>>().as_slice())
    }

    /// What the provider makes of the consent, and what it adds to the callback.
    fn terms(
        &self,
        call: &Call<'_>,
        account: &Account,
        wanted: &Wanted,
    ) -> (Terms, Vec<(&'static str, String)>) {
        let (Some(provider), Some(site)) = (self.provider, call.site) else {
            return (Terms::OWN, Vec::new());
        };
        let place = provider.place_of_consent(&site.host, call.settings);
        let remembered = call.grants.remembers(self.client_id, &account.id, place);
        let offline = provider.offline(self.parameters, &wanted.granted, remembered);
        let terms = Terms { place, prefixes: wanted.prefixes, offline };
        (terms, provider.callback(site, call.settings, &wanted.granted))
    }

    fn fail(&self, call: &mut Call<'_>, code: &'static str, description: &'static str) -> Response {
        code.clone_into(&mut call.row.outcome);
        call.row.description = Some(description);
        self.redirect(call, &[("error", code), ("error_description", description)])
    }

    /// Step 4. The app's own query stays (RFC 6749 §3.1.2).
    fn redirect(&self, call: &Call<'_>, answer: &[(&str, &str)]) -> Response {
        let mut location = self.redirect_uri.clone();
        {
            let mut query = location.query_pairs_mut();
            query.extend_pairs(answer);
            if let Some(state) =
                self.parameters.get("state").filter(|_| !self.parameters.is_repeated("state"))
            {
                query.append_pair("state", state);
            }
            if call.settings.send_iss {
                let own = call.base.to_owned();
                let iss = call.site.map_or(own, |site| format!("{}/at/{}", call.base, site.host));
                query.append_pair("iss", &iss);
            }
        }
        // 303, so that no browser posts the decision to the app as well.
        let headers = [(header::LOCATION, location.as_str()), (header::CACHE_CONTROL, "no-store")];
        (StatusCode::SEE_OTHER, headers).into_response()
    }
}

/// What is left of a wish; `None` where nothing is that was asked for. A pair of tokens without a scope is not issued.
fn wanted(wish: Wish, code_challenge: Option<String>, settings: &Settings) -> Option<Wanted> {
    let Wish { scopes, prefixes, second } = wish;
    let mut asked = scopes.clone();
    asked.extend(second.iter().flat_map(|(scopes, _)| scopes.iter().cloned()));
    let only = |scopes: Vec<String>| -> Vec<String> {
        scopes.into_iter().filter(|scope| is_granted(settings, scope)).collect()
    };
    let second = second.map(|(scopes, prefixes)| (only(scopes), prefixes));
    let (first, second) = match (only(scopes), second.filter(|(scopes, _)| !scopes.is_empty())) {
        (granted, Some(second)) if granted.is_empty() => (second, None),
        (granted, second) => ((granted, prefixes), second),
    };
    let (granted, prefixes) = first;
    let something = asked.is_empty() || !granted.is_empty();
    something.then_some(Wanted { asked, granted, prefixes, second, code_challenge })
}

fn is_granted(settings: &Settings, scope: &String) -> bool {
    settings.granted_scopes.as_ref().is_none_or(|only| only.contains(scope))
}

/// Whom the person may choose between, and who it is when nobody chooses: the control's account before the app's
/// `login_hint`.
fn accounts(settings: &Settings, parameters: &Parameters) -> (Vec<Account>, Account) {
    let mut offered = Account::residents();
    let hinted = || {
        let hint = parameters.get("login_hint")?;
        offered.iter().find(|account| account.answers_to(hint)).cloned()
    };
    let chosen = match settings.account {
        Some(_) => settings.account(),
        None => hinted().unwrap_or_else(|| settings.account()),
    };
    if !offered.contains(&chosen) {
        offered.insert(0, chosen.clone());
    }
    (offered, chosen)
}
