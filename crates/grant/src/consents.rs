//! Consents: people, and operators, see them and withdraw them.

use model::{Actor, AuditEvent, ClientId, GrantId, Outcome, ProblemCode, UserId};
use store::grants::Grant as Consent;
use store::users::{Membership, User};

use crate::authorize::Browser;
use crate::{Error, Grant, Result};

/// How many consents a page shows.
const SHOWN: u32 = 200;

/// What the forms of a person's own page are made for.
const FORM: &str = "access";

/// A person's own page.
pub struct Access {
    /// Who is signed in.
    pub user: User,
    /// Their teams.
    pub teams: Vec<Membership>,
    /// What they let applications do, with the names of these.
    pub consents: Vec<(Consent, String)>,
    /// What the forms carry.
    pub csrf: String,
}

impl Grant {
    /// What the person who is signed in lets applications do; `None` where nobody is.
    pub async fn own_consents(&self, browser: Browser<'_>) -> Result<Option<Access>> {
        let (Some(person), Some(secret)) = (self.signed_in(browser).await?, browser.sign_in) else {
            return Ok(None);
        };
        let teams = self.store().users.teams(&person.user.id).await?;
        let mut consents = Vec::new();
        for consent in self.store().grants.list(Some(&person.user.id), None, None, SHOWN).await? {
            let client = self.client(consent.client_id.as_str()).await?;
            let name = client.map_or_else(|| consent.client_id.to_string(), |client| client.settings.name);
            consents.push((consent, name));
        }
        let csrf = vault::csrf::token(secret, FORM, &person.user.id.to_string());
        Ok(Some(Access { user: person.user, teams, consents, csrf }))
    }

    /// Withdraws a consent of the person who is signed in.
    pub async fn withdraw_own(&self, id: &GrantId, browser: Browser<'_>, csrf: &str) -> Result<()> {
        let user = self.own_form(browser, csrf).await?;
        let is_theirs = self.store().grants.get(id).await?.is_some_and(|consent| consent.user == user);
        if !is_theirs {
            return Err(Error::problem(ProblemCode::GrantNotFound));
        }
        self.withdraw(id, Actor::User(user)).await.map(drop)
    }

    /// Signs the person out whose page it is.
    pub async fn sign_out_own(&self, browser: Browser<'_>, csrf: &str) -> Result<()> {
        self.own_form(browser, csrf).await?;
        self.sign_out(browser).await
    }

    /// Whose form it is, if it comes from the page that this browser was shown.
    async fn own_form(&self, browser: Browser<'_>, csrf: &str) -> Result<UserId> {
        let (Some(person), Some(secret)) = (self.signed_in(browser).await?, browser.sign_in) else {
            return Err(Error::problem(ProblemCode::SignInNeeded));
        };
        let user = person.user.id;
        if vault::csrf::is_token(csrf, secret, FORM, &user.to_string()) {
            Ok(user)
        } else {
            Err(Error::problem(ProblemCode::ForeignForm))
        }
    }

    /// Consents, page by page.
    pub async fn consents(
        &self,
        user: Option<&UserId>,
        client_id: Option<&ClientId>,
        after: Option<&GrantId>,
        limit: u32,
    ) -> Result<Vec<Consent>> {
        Ok(self.store().grants.list(user, client_id, after, limit).await?)
    }

    /// Withdraws a consent, with every token that stands on it.
    pub async fn withdraw(&self, id: &GrantId, by: Actor) -> Result<Consent> {
        let withdrawn = self.store().grants.withdraw(id).await?;
        let consent = withdrawn.ok_or_else(|| Error::problem(ProblemCode::GrantNotFound))?;
        let event = AuditEvent::new(self.now(), "grant.withdrawn", Outcome::Success, by).target(id);
        let event = event.fact("application", consent.client_id.as_str());
        self.remember(event.fact("user", consent.user.to_string())).await?;
        Ok(consent)
    }
}
