//! Any OpenID provider (OpenID Connect Core §3.1): the authorization code flow with PKCE (RFC 7636), a state and a nonce, each of which
//! belongs to one browser and one sign-in.
//!
//! - `discovery`: where the provider's endpoints are, and its keys
//! - `id_token`: what an ID token must say
//!
//! Users are known by what the provider calls them; its tokens are looked at once and never kept.

mod discovery;
mod id_token;

use data_encoding::BASE64;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use model::Secret;
use provider::client::Call;
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::warn;
use url::{Url, form_urlencoded};

use super::call::{json, not_now, with};
use super::claims::{self, TeamClaims};
use super::elsewhere::{Verdict, asked_age};
use super::told::Told;
use crate::authorize::Open;
use crate::authorize::request::Prompt;
use crate::form::Form;
use crate::{Grant, Result};
use discovery::Provider;
pub(crate) use discovery::Providers;
use id_token::Expected;

/// An OpenID provider at which people sign in.
#[derive(Debug, Clone)]
pub struct OidcLogin {
    /// The name of this back end: users are known by it, and it stands in the address of the way back.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// Who it is, exactly as its ID tokens say.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// How we prove it; a public client has none.
    pub client_secret: Option<Secret<String>>,
    /// What we ask for; `openid` is among it.
    pub scopes: Vec<String>,
    /// Where it says what.
    pub claims: ClaimNames,
    /// Whether its addresses are taken where it does not say that they are verified.
    pub trust_email: bool,
}

/// Which claims say what; a dot leads inwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// What the provider knows a person by, for ever: `sub`, unless it has something better.
    pub id: String,
    /// Their mail address.
    pub email: String,
    /// What people call them.
    pub name: String,
    /// Their teams; `None` where it does not know any.
    pub teams: Option<TeamClaims>,
}

/// OpenID Connect Core §5.1.
pub const EMAIL: &str = "email";
const EMAIL_VERIFIED: &str = "email_verified";

/// RFC 6749 §5.1, with the ID token.
#[derive(Deserialize)]
struct Tokens {
    access_token: Option<String>,
    id_token: String,
}

impl Grant {
    /// The address of the authorization request (OpenID Connect Core §3.1.2.1).
    pub(super) async fn provider_address(
        &self,
        own: &OidcLogin,
        open: &Open,
        browser: &Secret<String>,
        state: &Secret<String>,
    ) -> Result<String> {
        let provider = self.provider(own).await?;
        let mut address = Url::parse(&provider.authorization_endpoint).map_err(|_| not_now())?;
        let verifier = vault::elsewhere::code_verifier(browser, state);
        let request = &open.request;
        let mut query = address.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &own.client_id)
            .append_pair("redirect_uri", &self.way_back(&own.name))
            .append_pair("scope", &own.scopes.join(" "))
            .append_pair("state", state.expose())
            .append_pair("nonce", &vault::elsewhere::nonce(browser, state))
            .append_pair("code_challenge", &vault::code_challenge(&verifier))
            .append_pair("code_challenge_method", "S256");
        // Whether they agree is our own question.
        let asks = |wanted| request.prompt.contains(&wanted);
        let prompts = [(Prompt::Login, "login"), (Prompt::SelectAccount, "select_account")];
        let prompts: Vec<_> =
            prompts.into_iter().filter(|(own, _)| asks(*own)).map(|(_, word)| word).collect();
        if !prompts.is_empty() {
            query.append_pair("prompt", &prompts.join(" "));
        }
        if let Some(max_age) = asked_age(request) {
            query.append_pair("max_age", &max_age.as_secs().to_string());
        }
        if let Some(hint) = &request.login_hint {
            query.append_pair("login_hint", hint);
        }
        if !request.ui_locales.is_empty() {
            query.append_pair("ui_locales", &request.ui_locales.join(" "));
        }
        drop(query);
        Ok(address.into())
    }

    /// Reads what somebody has brought from there.
    pub(super) async fn read_answer(
        &self,
        own: &OidcLogin,
        answer: &Form,
        browser: &Secret<String>,
        state: &Secret<String>,
    ) -> Result<Verdict> {
        let provider = self.provider(own).await?;
        let text = |name: &'static str| answer.get(name).ok().flatten();
        // RFC 9207 §2.4: the answer of another provider is no answer.
        let says_who = provider.authorization_response_iss_parameter_supported;
        if text("iss").map_or(says_who, |issuer| issuer != own.issuer) {
            return Ok(Verdict::Nobody("issuer"));
        }
        if let Some(error) = text("error") {
            return refused(own, error);
        }
        let Some(code) = text("code").filter(|code| code.len() <= 4096) else {
            return Ok(Verdict::Nobody("no_code"));
        };
        let verifier = vault::elsewhere::code_verifier(browser, state);
        let Some(tokens) = self.exchange(own, &provider, code, verifier.expose()).await? else {
            return Ok(Verdict::Nobody("exchange"));
        };
        let Some(claims) = self.verify_id_token(own, &provider, &tokens.id_token).await? else {
            return Ok(Verdict::Nobody("id_token"));
        };
        let nonce = vault::elsewhere::nonce(browser, state);
        let expected =
            Expected { issuer: &own.issuer, client_id: &own.client_id, nonce: &nonce, now: self.now() };
        let auth_time = match expected.check(&claims) {
            Ok(auth_time) => auth_time,
            Err(why) => {
                warn!(backend = own.name, why, "login.id_token_refused");
                return Ok(Verdict::Nobody("id_token"));
            }
        };
        let Some(said) = self.all_claims(own, &provider, claims, tokens.access_token).await? else {
            return Ok(Verdict::Nobody("userinfo"));
        };
        // Teams that stand elsewhere are not none: what people may do there must not end by that.
        let teams = own.claims.teams.as_ref();
        if teams.is_some_and(|teams| said.is_elsewhere(&teams.claim)) {
            warn!(backend = own.name, "login.claims_elsewhere");
            return Ok(Verdict::Nobody("claims_elsewhere"));
        }
        Ok(told(own, &said).map_or(Verdict::Nobody("claims"), |told| Verdict::Is(told, auth_time)))
    }

    /// OpenID Connect Core §3.1.3: a code for tokens; `None` when the provider does not take the code.
    async fn exchange(
        &self,
        own: &OidcLogin,
        provider: &Provider,
        code: &str,
        code_verifier: &str,
    ) -> Result<Option<Tokens>> {
        let (body, basic) = exchange_form(own, provider, &self.way_back(&own.name), code, code_verifier);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let call = Call::post(&provider.token_endpoint, body.into_bytes());
        let mut call = json(call).header(CONTENT_TYPE, form).timeout(self.patience());
        if let Some(basic) = &basic {
            call = with(call, "authorization", basic)?;
        }
        let answer = self.ask(&own.name, call).await?;
        if answer.status == 200 {
            return answer.read().map(Some);
        }
        match (answer.status, answer.error_code().as_str()) {
            (400, "invalid_grant") => Ok(None),
            (_, error) => Err(answer.unusable(format!("the code was not exchanged: {error}"))),
        }
    }

    /// The claims of the ID token, and what only userinfo says (OpenID Connect Core §5.3); `None` when that is about somebody else.
    async fn all_claims(
        &self,
        own: &OidcLogin,
        provider: &Provider,
        token: Map<String, Value>,
        access_token: Option<String>,
    ) -> Result<Option<Said>> {
        let names = &own.claims;
        let teams = names.teams.as_ref().map(|teams| &teams.claim);
        let mut wanted = [&names.id, &names.email, &names.name].into_iter().chain(teams);
        let is_complete = wanted.all(|name| claims::find(&token, name).is_some())
            && (own.trust_email || claims::find(&token, EMAIL_VERIFIED).is_some());
        let userinfo = provider.userinfo_endpoint.as_ref().zip(access_token).filter(|_| !is_complete);
        let Some((endpoint, access_token)) = userinfo else {
            return Ok(Some(Said { token, userinfo: Map::new() }));
        };
        let bearer = Secret::new(format!("Bearer {access_token}"));
        let call = with(json(Call::get(endpoint)).timeout(self.patience()), "authorization", &bearer)?;
        let answer = self.ask(&own.name, call).await?;
        if answer.status != 200 {
            return Err(answer.unusable("userinfo was refused"));
        }
        let userinfo: Map<String, Value> = answer.read()?;
        // §5.3.2: or it could be put together from two people's answers.
        Ok((userinfo.get("sub") == token.get("sub")).then_some(Said { token, userinfo }))
    }
}

/// What a provider says of one person, in both places. A claim counts as it stands in the ID token; where it is not there, in userinfo.
struct Said {
    token: Map<String, Value>,
    userinfo: Map<String, Value>,
}

impl Said {
    /// The place where a claim counts.
    fn place(&self, name: &str) -> &Map<String, Value> {
        if claims::find(&self.token, name).is_some() { &self.token } else { &self.userinfo }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        claims::find(self.place(name), name)
    }

    /// Each says for itself what it does not have.
    fn is_elsewhere(&self, name: &str) -> bool {
        [&self.token, &self.userinfo].into_iter().any(|place| claims::is_elsewhere(place, name))
    }

    /// Whether the address is verified, of which that is said beside it, or where no other one is; `None` where nothing is said.
    fn is_email_verified(&self) -> Option<bool> {
        let email = self.find(EMAIL);
        let mut places = [self.place(EMAIL), &self.token, &self.userinfo].into_iter();
        let verified = places.find_map(|place| {
            let is_of_it = claims::find(place, EMAIL).is_none_or(|own| Some(own) == email);
            claims::find(place, EMAIL_VERIFIED).filter(|_| is_of_it)
        })?;
        // Some providers write a text.
        Some(*verified == true || *verified == "true")
    }
}

/// RFC 6749 §4.1.3 and §2.3.1: the body, and the header that proves who we are where the body does not.
fn exchange_form(
    own: &OidcLogin,
    provider: &Provider,
    way_back: &str,
    code: &str,
    code_verifier: &str,
) -> (String, Option<Secret<String>>) {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", way_back)
        .append_pair("code_verifier", code_verifier);
    if let Some(secret) = own.client_secret.as_ref().filter(|_| provider.takes_basic()) {
        return (body.finish(), Some(basic_header(&own.client_id, secret)));
    }
    body.append_pair("client_id", &own.client_id);
    if let Some(secret) = &own.client_secret {
        body.append_pair("client_secret", secret.expose());
    }
    (body.finish(), None)
}

/// RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6.
fn refused(own: &OidcLogin, error: &str) -> Result<Verdict> {
    match error {
        "access_denied" => Ok(Verdict::Nobody("access_denied")),
        "temporarily_unavailable" | "server_error" => {
            warn!(backend = own.name, error, "login.provider_refused");
            Err(not_now())
        }
        error => {
            let plain = |c: &char| c.is_ascii_lowercase() || *c == '_';
            let error: String = error.chars().filter(plain).take(60).collect();
            warn!(backend = own.name, error, "login.provider_refused");
            Ok(Verdict::Nobody("provider_refused"))
        }
    }
}

/// RFC 6749 §2.3.1: both halves are form-encoded first.
fn basic_header(client_id: &str, secret: &Secret<String>) -> Secret<String> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    Secret::new(format!("Basic {}", BASE64.encode(pair.as_bytes())))
}

/// `None` where the claims name nobody.
fn told(own: &OidcLogin, said: &Said) -> Option<Told> {
    let names = &own.claims;
    // Whoever reads an address of us takes it for one that somebody has looked after. OpenID Connect Core §5.1: `email_verified` is said
    // of `email`, and of no other claim.
    let verified = said.is_email_verified().filter(|_| names.email == EMAIL);
    let email = said.find(&names.email).filter(|_| verified.unwrap_or(own.trust_email));
    let told = Told {
        subject: claims::id(said.find(&names.id)?)?,
        email: claims::email(email),
        name: claims::name(said.find(&names.name)),
        teams: names
            .teams
            .as_ref()
            .map(|own_teams| claims::teams(&own.name, said.place(&own_teams.claim), own_teams)),
    };
    told.checked().ok()
}
