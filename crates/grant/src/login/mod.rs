//! Who signs in: a person proves to a login back end who they are, and the browser is believed for a while.
//!
//! - [`local`]: passwords that are kept here

pub mod local;

use model::{Actor, AuditEvent, AuthorizationId, Outcome, ProblemCode, Secret};
use store::users::{SignIn, User};
use vault::TokenHash;

use crate::authorize::{Browser, check_csrf};
use crate::{Error, Grant, Result};

/// What the operator decided about signing in.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// Whether passwords are kept here.
    pub local: bool,
    /// How many passwords are hashed at the same time: each takes a core and 19 MiB.
    pub hashes_at_once: usize,
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
        let allowed =
            open.client.settings.login.as_ref().is_none_or(|own| own.iter().any(|b| b == local::NAME));
        if !self.parts.settings.login.local || !allowed {
            return Err(Error::problem(ProblemCode::SignInWayUnavailable));
        }
        let Some(user) = self.check_password(email, password, browser.address).await? else {
            return Ok(SignedIn::Wrong);
        };
        let Some(secret) = self.believe(&user, browser).await? else { return Ok(SignedIn::Wrong) };
        let now = self.now();
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
        if !self.parts.settings.login.local {
            return Err(Error::problem(ProblemCode::SignInWayUnavailable));
        }
        match self.check_password(email, password, browser.address).await? {
            Some(user) => Ok(self.believe(&user, browser).await?.map_or(SignedIn::Wrong, SignedIn::Done)),
            None => Ok(SignedIn::Wrong),
        }
    }

    /// Gives the browser of somebody who has just proved who they are a new cookie; whoever was signed in there no longer is. `None`
    /// where what they proved it by was ended meanwhile: a new password signs out everywhere, also whoever is at the door.
    async fn believe(&self, user: &User, browser: Browser<'_>) -> Result<Option<Secret<String>>> {
        if let Some(before) = browser.sign_in {
            self.store().users.sign_out(&TokenHash::of(before.expose())).await?;
        }
        let now = self.now();
        let secret = vault::random::token();
        let expires_at = now + self.parts.settings.sign_in_ttl;
        let sign_in = SignIn { user: user.id, auth_time: now, expires_at };
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
