//! Who signs in: a person proves to a login back end who they are, and the browser is believed for a while.
//!
//! - [`local`]: passwords that are kept here
//! - [`gotrue`]: Supabase Auth
//! - [`http`]: passwords that the product checks
//! - [`oidc`]: OpenID providers
//! - [`handoff`]: the product's own sign-in page
//!
//! The back ends that take passwords share one form, and are asked one after the other. What a back end tells of a person (`told.rs`)
//! is learnt at every sign-in; `call.rs` is how back ends elsewhere are asked, [`claims`] how what they say is read.
//! [`elsewhere`] is the way to those that ask people themselves, and back.

pub mod claims;
pub mod elsewhere;
pub mod gotrue;
pub mod handoff;
pub mod http;
pub mod local;
pub mod oidc;

mod call;
mod told;

use std::time::Duration;

use model::{Actor, AuditEvent, AuthorizationId, Outcome, ProblemCode, Secret, Timestamp};
use store::users::{SignIn, User};
use tokio::time::{Instant, sleep_until};
use vault::TokenHash;

use crate::application::Client;
use crate::authorize::{Browser, check_csrf};
use crate::{Error, Grant, Result};
pub(crate) use call::CHECKS_AT_ONCE;
use gotrue::GotrueLogin;
use handoff::HandoffLogin;
use http::HttpLogin;
use oidc::OidcLogin;

/// The longest address and password that are looked at, in octets.
const MAX_EMAIL: usize = 254;
const MAX_PASSWORD: usize = 1024;

/// A refusal that others have a part in is told at the end of such a span: how long they look must not tell whom they know.
const REFUSED_AT: Duration = Duration::from_millis(500);

/// Stands where nobody knows when a person proved who they are: a back end elsewhere has not told. No `max_age` is as long ago.
const UNTOLD: Timestamp = Timestamp::from_unix_ms(0);

/// When somebody proved who they are (the `auth_time` of OpenID Connect Core §2), where that is known.
pub(crate) fn known_time(auth_time: Timestamp) -> Option<Timestamp> {
    Some(auth_time).filter(|auth_time| *auth_time > UNTOLD)
}

/// What the operator decided about signing in.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// Whether passwords are kept here.
    pub local: bool,
    /// How many passwords are hashed at the same time: each takes a core and 19 MiB.
    pub hashes_at_once: usize,
    /// Supabase Auth.
    pub gotrue: Option<GotrueLogin>,
    /// Where the product checks passwords.
    pub http: Option<HttpLogin>,
    /// The product's own sign-in page.
    pub handoff: Option<HandoffLogin>,
    /// OpenID providers, in the order of their buttons.
    pub oidc: Vec<OidcLogin>,
}

/// A back end that asks people itself.
enum Elsewhere<'a> {
    Oidc(&'a OidcLogin),
    Handoff(&'a HandoffLogin),
    /// A link that Supabase Auth has mailed.
    Link(&'a GotrueLogin),
}

/// A back end that takes passwords.
enum Checker<'a> {
    Local,
    Gotrue(&'a GotrueLogin),
    Http(&'a HttpLogin),
}

impl Checker<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Local => local::NAME,
            Self::Gotrue(_) => gotrue::NAME,
            Self::Http(_) => http::NAME,
        }
    }
}

impl LoginSettings {
    /// The names of all back ends that are on.
    pub fn names(&self) -> Vec<&str> {
        let checkers = self.checkers(None);
        let mut names: Vec<&str> = checkers.iter().map(Checker::name).collect();
        names.extend(self.leading().map(|(name, _)| name));
        names
    }

    /// The back end to which this way leads.
    fn elsewhere(&self, way: &str) -> Option<Elsewhere<'_>> {
        let product = self.handoff.as_ref().filter(|_| way == handoff::NAME).map(Elsewhere::Handoff);
        let link = self.gotrue.as_ref().filter(|own| own.magic_link && way == gotrue::NAME);
        let product = product.or_else(|| link.map(Elsewhere::Link));
        product.or_else(|| self.oidc.iter().find(|provider| provider.name == way).map(Elsewhere::Oidc))
    }

    /// The names and labels of the ways that lead elsewhere, the product's own first.
    fn leading(&self) -> impl Iterator<Item = (&str, &str)> {
        let product = self.handoff.iter().map(|own| (handoff::NAME, own.label.as_str()));
        product.chain(self.oidc.iter().map(|own| (own.name.as_str(), own.label.as_str())))
    }

    /// The back ends that take passwords, in the order in which they are asked: ourselves first.
    fn checkers(&self, client: Option<&Client>) -> Vec<Checker<'_>> {
        let own = self.local.then_some(Checker::Local);
        let gotrue = self.gotrue.as_ref().map(Checker::Gotrue);
        let all = own.into_iter().chain(gotrue).chain(self.http.as_ref().map(Checker::Http));
        all.filter(|checker| takes(client, checker.name())).collect()
    }

    /// Whether there are ways that need a request of an application to come back to.
    pub fn has_ways_back(&self) -> bool {
        self.leading().next().is_some() || self.gotrue.as_ref().is_some_and(|own| own.magic_link)
    }

    /// Whether a back end is on.
    pub(crate) fn has(&self, backend: &str) -> bool {
        self.names().contains(&backend)
    }

    /// How people can sign in for an application, or for themselves.
    pub fn ways(&self, client: Option<&Client>) -> Ways {
        // Whoever comes without an application has no request to come back to.
        let leading = self.leading().filter(|(name, _)| client.is_some() && takes(client, name));
        Ways {
            password: !self.checkers(client).is_empty(),
            link: client.is_some()
                && takes(client, gotrue::NAME)
                && self.gotrue.as_ref().is_some_and(|own| own.magic_link),
            elsewhere: leading.map(|(name, label)| (name.to_owned(), label.to_owned())).collect(),
        }
    }
}

/// An address as back ends elsewhere are asked about it: as its tries are counted, so that nobody has more of them by writing it in
/// another way. `None` where others may read it in ways that we don't know.
fn login_elsewhere(email: &str) -> Option<String> {
    let login = local::login_of(email);
    Some(login).filter(|login| login.is_ascii() && (1..=MAX_EMAIL).contains(&login.len()))
}

/// When a refusal is told of what began then.
fn end_of_span(began: Instant) -> Instant {
    let spans = began.elapsed().as_millis() / REFUSED_AT.as_millis() + 1;
    began + REFUSED_AT.saturating_mul(u32::try_from(spans).unwrap_or(u32::MAX))
}

/// Whether an application takes the people of a back end.
fn takes(client: Option<&Client>, backend: &str) -> bool {
    let only = client.and_then(|client| client.settings.login.as_ref());
    only.is_none_or(|only| only.iter().any(|name| name == backend))
}

/// How people can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ways {
    /// With a password.
    pub password: bool,
    /// With a link that is mailed.
    pub link: bool,
    /// Elsewhere: the name of each way, and what people call it.
    pub elsewhere: Vec<(String, String)>,
}

impl Ways {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        !self.password && !self.link && self.elsewhere.is_empty()
    }
}

/// What the token of a form is made for that belongs to no request.
const FORM: &str = "sign-in";

/// What a sign-in form carries that belongs to no request.
pub struct SignInForm {
    /// The token.
    pub csrf: String,
    /// The browser's new secret, where it had none.
    pub new_browser: Option<Secret<String>>,
}

/// What the back ends said of a password, asked one after the other.
#[derive(Default)]
struct Checked {
    user: Option<User>,
    /// Those that said no.
    refused_by: Vec<&'static str>,
    /// Why nobody knows what another one would have said.
    unanswered: Option<Error>,
}

/// What came of signing in.
pub enum SignedIn {
    /// The browser gets this cookie.
    Done(Secret<String>),
    /// The address or the password is not right; which of them, nobody is told.
    Wrong,
}

impl Grant {
    /// Signs somebody in at the page of a request.
    pub async fn sign_in(
        &self,
        id: &AuthorizationId,
        browser: Browser<'_>,
        csrf: &str,
        email: &str,
        password: &Secret<String>,
    ) -> Result<SignedIn> {
        let open = self.open(id, browser).await?;
        check_csrf(id, browser, csrf)?;
        let client = Some(&open.client);
        let Some(user) = self.check_password(client, email, password, browser.address).await? else {
            return Ok(SignedIn::Wrong);
        };
        let now = self.now();
        let Some(secret) = self.believe(&user, now, browser).await? else { return Ok(SignedIn::Wrong) };
        if !self.store().authorizations.set_user(id, Some((user.id, now)), now).await? {
            return Err(Error::problem(ProblemCode::AuthorizationOver));
        }
        Ok(SignedIn::Done(secret))
    }

    /// What a sign-in form carries that belongs to no request.
    pub fn sign_in_form(&self, browser: Browser<'_>) -> SignInForm {
        let new_browser = browser.secret.is_none().then(vault::random::token);
        let csrf = new_browser.as_ref().or(browser.secret);
        let csrf = csrf.map(|secret| vault::csrf::token(secret, FORM, FORM)).unwrap_or_default();
        SignInForm { csrf, new_browser }
    }

    /// Signs somebody in at such a form.
    pub async fn sign_in_here(
        &self,
        browser: Browser<'_>,
        csrf: &str,
        email: &str,
        password: &Secret<String>,
    ) -> Result<SignedIn> {
        if !browser.secret.is_some_and(|secret| vault::csrf::is_token(csrf, secret, FORM, FORM)) {
            return Err(Error::problem(ProblemCode::ForeignForm));
        }
        match self.check_password(None, email, password, browser.address).await? {
            Some(user) => {
                let believed = self.believe(&user, self.now(), browser).await?;
                Ok(believed.map_or(SignedIn::Wrong, SignedIn::Done))
            }
            None => Ok(SignedIn::Wrong),
        }
    }

    /// Finds the user who has this address and this password at one of the back ends. Tries are counted by account and by address
    /// before they are looked at, so that guesses at the same time don't pass together. A try is given back where it was right, or where
    /// nobody said that it was wrong: what one back end refused counts, whether another one answers or not.
    async fn check_password(
        &self,
        client: Option<&Client>,
        email: &str,
        password: &Secret<String>,
        address: &str,
    ) -> Result<Option<User>> {
        let checkers = self.parts.settings.login.checkers(client);
        if checkers.is_empty() {
            return Err(Error::problem(ProblemCode::SignInWayUnavailable));
        }
        let began = Instant::now();
        let tried = self.try_password(&local::login_of(email), address).await?;
        let checked = self.check_with_each(&checkers, email, password).await;
        if checked.user.is_some() || checked.refused_by.is_empty() {
            self.was_right(&tried).await?;
        } else {
            self.sign_in_failed(&checked.refused_by.join(" "), None).await?;
            if checkers.iter().any(|checker| !matches!(checker, Checker::Local)) {
                sleep_until(end_of_span(began)).await;
            }
        }
        checked.unanswered.map_or(Ok(checked.user), Err)
    }

    async fn check_with_each(
        &self,
        checkers: &[Checker<'_>],
        email: &str,
        password: &Secret<String>,
    ) -> Checked {
        let mut checked = Checked::default();
        for checker in checkers {
            match self.check_with(checker, email, password).await {
                Ok(None) => checked.refused_by.push(checker.name()),
                Ok(Some(user)) => return Checked { user: Some(user), ..Checked::default() },
                // Another one may know them all the same.
                Err(error @ Error::NotNow { .. }) => checked.unanswered = Some(error),
                Err(error) => return Checked { unanswered: Some(error), ..checked },
            }
        }
        checked
    }

    async fn check_with(
        &self,
        checker: &Checker<'_>,
        email: &str,
        password: &Secret<String>,
    ) -> Result<Option<User>> {
        let is_asked = (1..=MAX_PASSWORD).contains(&password.expose().len());
        let is_elsewhere = !matches!(checker, Checker::Local);
        let _turn = is_elsewhere.then(|| self.turn_elsewhere()).transpose()?;
        let told = match (checker, login_elsewhere(email).filter(|_| is_asked)) {
            (Checker::Local, _) => return self.check_own(email, password).await,
            (_, None) => None,
            (Checker::Gotrue(own), Some(login)) => self.check_at_gotrue(own, &login, password).await?,
            (Checker::Http(product), Some(login)) => self.check_at_product(product, &login, password).await?,
        };
        match told {
            Some(told) => self.learn(checker.name(), told).await,
            None => Ok(None),
        }
    }

    /// Remembers that somebody could not prove who they are.
    async fn sign_in_failed(&self, backend: &str, reason: Option<&str>) -> Result<()> {
        let event = AuditEvent::new(self.now(), "user.sign_in_failed", Outcome::Denied, Actor::Browser(None));
        let event = event.fact("backend", backend);
        self.remember(match reason {
            Some(reason) => event.reason(reason),
            None => event,
        })
        .await
    }

    /// Gives the browser of somebody who has just proved who they are a new cookie; whoever was signed in there no longer is. `None`
    /// where what they proved it by was ended meanwhile: a new password signs out everywhere, also whoever is at the door.
    async fn believe(
        &self,
        user: &User,
        auth_time: Timestamp,
        browser: Browser<'_>,
    ) -> Result<Option<Secret<String>>> {
        if let Some(before) = browser.sign_in {
            self.store().users.sign_out(&TokenHash::of(before.expose())).await?;
        }
        let now = self.now();
        let secret = vault::random::token();
        let expires_at = now + self.parts.settings.sign_in_ttl;
        let sign_in = SignIn { user: user.id, auth_time, expires_at };
        let hash = TokenHash::of(secret.expose());
        if !self.store().users.sign_in(&hash, &sign_in).await? {
            return Ok(None);
        }
        // Read after that was written: a change that comes later ends this sign-in too.
        let known = self.store().users.get(&user.id).await?;
        if known.is_none_or(|known| known.password != user.password) {
            self.store().users.sign_out(&hash).await?;
            return Ok(None);
        }
        let event = AuditEvent::new(now, "user.signed_in", Outcome::Success, Actor::User(user.id));
        self.remember(event.fact("backend", user.backend.clone())).await?;
        Ok(Some(secret))
    }

    /// Signs out of one browser; what applications were given goes on.
    pub async fn sign_out(&self, browser: Browser<'_>) -> Result<()> {
        let Some(person) = self.signed_in(browser).await? else { return Ok(()) };
        if let Some(secret) = browser.sign_in {
            self.store().users.sign_out(&TokenHash::of(secret.expose())).await?;
        }
        let event =
            AuditEvent::new(self.now(), "user.signed_out", Outcome::Success, Actor::User(person.user.id));
        self.remember(event).await
    }
}
