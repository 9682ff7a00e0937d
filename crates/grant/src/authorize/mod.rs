//! The authorization endpoint (RFC 6749 §4.1.1), from the browser's arrival to its departure with a code:
//!
//! 1. [`begin`](Grant::begin): the request is checked ([`request`]). What is wrong with application or redirect URI is told to the
//!    person, on a page and never by a redirect; everything else goes back to the application.
//! 2. If nothing is open, because the person is signed in and has agreed before, the browser goes back at once with a code.
//! 3. Else the request becomes a row that is bound to this browser, with a page of its own. [`look`](Grant::look) says what the
//!    page shows: somebody has to sign in, or to choose a team and to agree.
//! 4. [`decide`](Grant::decide) uses the row up, once. The consent is written, the code is made ([`answer`]).
//!
//! The forms of the page carry a token that only this browser's cookie yields, so nobody else's page can send them.

pub mod answer;
pub mod request;

use model::{AuthorizationId, GrantType, ProblemCode, RedirectUri, Scopes, Secret, TeamId, Timestamp};
use store::authorizations::Authorization;
use store::grants::Grant as Consent;
use store::users::{Membership, User};
use vault::TokenHash;

pub use answer::Redirect;
pub use request::AuthorizationRequest;

use crate::application::Client;
use crate::login::{Ways, known_time};
use crate::{Error, Grant, Result};
use request::Prompt;

/// What the token of a form is made for.
const FORM: &str = "authorization";

/// What a browser brings.
#[derive(Clone, Copy)]
pub struct Browser<'a> {
    /// The secret of its cookie, if it has one.
    pub secret: Option<&'a Secret<String>>,
    /// The secret of the cookie that says who is signed in.
    pub sign_in: Option<&'a Secret<String>>,
    /// Where it comes from, as far as that can be believed.
    pub address: &'a str,
}

/// Where a browser that has just arrived goes.
pub enum Begun {
    /// Back to the application.
    Back(Redirect),
    /// To the page of this request, with this cookie.
    Page {
        /// The request.
        id: AuthorizationId,
        /// The browser's secret, which its cookie keeps for as long again.
        browser: Secret<String>,
    },
}

/// What the page of a request shows.
pub enum View {
    /// Somebody has to sign in.
    SignIn(Box<SignInView>),
    /// Somebody has to agree.
    Consent(Box<ConsentView>),
    /// Nothing is open any more.
    Back(Redirect),
}

/// Somebody has to sign in.
pub struct SignInView {
    /// Who asks.
    pub client: Client,
    /// How people can sign in for it.
    pub ways: Ways,
    /// What they are likely to type (OpenID Connect Core §3.1.2.1).
    pub login_hint: Option<String>,
    /// The languages that the application prefers (OpenID Connect Core §3.1.2.1).
    pub ui_locales: Vec<String>,
    /// What the forms carry.
    pub csrf: String,
    /// Where a cancelled request goes, for the policy of the page.
    pub redirect_uri: RedirectUri,
}

/// Somebody has to agree.
pub struct ConsentView {
    /// Who asks.
    pub client: Client,
    /// Who is signed in.
    pub user: User,
    /// For whom they may agree.
    pub teams: Vec<Membership>,
    /// What is asked for.
    pub scopes: Scopes,
    /// Where (RFC 8707).
    pub resources: Vec<String>,
    /// The languages that the application prefers.
    pub ui_locales: Vec<String>,
    /// What the forms carry.
    pub csrf: String,
    /// Where the answer goes.
    pub redirect_uri: RedirectUri,
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on, for this team.
    Authorize(Option<TeamId>),
    /// Don't.
    Cancel,
    /// Somebody else wants to sign in.
    Switch,
}

/// What came of a decision.
pub enum Decided {
    /// The browser goes back to the application.
    Back(Redirect),
    /// The page asks again.
    Again,
}

/// A request that a person is looking at, with everything around it.
pub(crate) struct Open {
    pub(crate) row: Authorization,
    pub(crate) request: AuthorizationRequest,
    pub(crate) client: Client,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) auth_time: Timestamp,
}

/// What is open between a person and an application.
enum Standing {
    /// Nothing: it was agreed to before.
    Agreed(Box<Consent>),
    /// Somebody has to agree.
    Open(Vec<Membership>),
}

impl Grant {
    /// Takes a browser in that comes with an authorization request.
    pub async fn begin(&self, query: &[u8], browser: Browser<'_>) -> Result<Begun> {
        self.limit_arrivals(browser.address)?;
        let (client, request) = match self.read_request(query, browser.address).await? {
            request::Read::Good(read) => *read,
            request::Read::Back(redirect) => return Ok(Begun::Back(redirect)),
        };
        self.notice_challenge(&client, &request).await?;
        let person = self.signed_in(browser).await?;
        let person = person.filter(|person| is_fresh(&request, person, self.now()));
        let asks_anew = request.prompt.iter().any(|prompt| *prompt != Prompt::None);
        let silent = request.prompt.contains(&Prompt::None);
        match person {
            Some(person) if !asks_anew && may_sign_in(&client, &person.user) => {
                match self.standing(&client, &request, &person.user).await? {
                    Standing::Agreed(consent) => {
                        let back = self.issue_code(&client, &request, &person, browser, &consent).await?;
                        return Ok(Begun::Back(back));
                    }
                    Standing::Open(_) if silent => {
                        return Ok(Begun::Back(self.refuse(&request, &request::consent_required())));
                    }
                    Standing::Open(_) => {}
                }
            }
            _ if silent => return Ok(Begun::Back(self.refuse(&request, &request::login_required()))),
            _ => {}
        }
        let known = browser.secret.filter(|secret| secret.expose().len() == 64);
        let secret = known.cloned().unwrap_or_else(vault::random::token);
        let now = self.now();
        let row = Authorization {
            id: vault::random::id(),
            client_id: client.id.clone(),
            request: request.to_json(),
            browser: TokenHash::of(secret.expose()),
            user: None,
            login: None,
            created_at: now,
            expires_at: now + self.parts.settings.authorization_ttl,
            decided_at: None,
        };
        self.store().authorizations.create(&row).await?;
        Ok(Begun::Page { id: row.id, browser: secret })
    }

    /// What the page of a request shows to this browser.
    pub async fn look(&self, id: &AuthorizationId, browser: Browser<'_>) -> Result<View> {
        let open = self.open(id, browser).await?;
        let csrf = csrf(id, browser)?;
        let Some(person) = self.person(&open, browser).await? else {
            let ways = self.parts.settings.login.ways(Some(&open.client));
            if ways.is_empty() {
                return Err(Error::problem(ProblemCode::SignInWayUnavailable));
            }
            return Ok(View::SignIn(Box::new(SignInView {
                ways,
                login_hint: open.request.login_hint.clone(),
                ui_locales: open.request.ui_locales.clone(),
                csrf,
                redirect_uri: open.request.redirect_uri.clone(),
                client: open.client,
            })));
        };
        let must_ask = open.request.prompt.contains(&Prompt::Consent);
        let teams = match self.standing(&open.client, &open.request, &person.user).await? {
            Standing::Agreed(consent) if !must_ask => {
                self.use_up(id).await?;
                let back = self.issue_code(&open.client, &open.request, &person, browser, &consent).await?;
                return Ok(View::Back(back));
            }
            Standing::Open(teams) => teams,
            Standing::Agreed(_) => self.store().users.teams(&person.user.id).await?,
        };
        // From here on the page is this person's, whoever signs in in another tab.
        if open.row.user.is_none() {
            let shown_to = Some((person.user.id, person.auth_time));
            if !self.store().authorizations.set_user(id, shown_to, self.now()).await? {
                return Err(Error::problem(ProblemCode::AuthorizationOver));
            }
        }
        Ok(View::Consent(Box::new(ConsentView {
            client: open.client,
            user: person.user,
            teams,
            scopes: open.request.scopes,
            resources: open.request.resources,
            ui_locales: open.request.ui_locales,
            csrf,
            redirect_uri: open.request.redirect_uri,
        })))
    }

    /// Does what a person decides.
    pub async fn decide(
        &self,
        id: &AuthorizationId,
        browser: Browser<'_>,
        csrf: &str,
        decision: Decision,
    ) -> Result<Decided> {
        let open = self.open(id, browser).await?;
        check_csrf(id, browser, csrf)?;
        let team = match decision {
            Decision::Cancel => {
                self.use_up(id).await?;
                self.refused_by_person(&open, browser).await?;
                return Ok(Decided::Back(self.refuse(&open.request, &request::access_denied())));
            }
            Decision::Switch => {
                let nobody = self.store().authorizations.set_user(id, None, self.now()).await?;
                if !nobody {
                    return Err(Error::problem(ProblemCode::AuthorizationOver));
                }
                self.sign_out(browser).await?;
                return Ok(Decided::Again);
            }
            Decision::Authorize(team) => team,
        };
        let Some(person) = self.person(&open, browser).await? else { return Ok(Decided::Again) };
        let teams = self.store().users.teams(&person.user.id).await?;
        let team = match (team, teams.as_slice()) {
            (None, []) => None,
            (None, [only]) => Some(only.team.clone()),
            (Some(team), teams) if teams.iter().any(|own| own.team == team) => Some(team),
            // Nothing was chosen, or the choice is no longer theirs.
            _ => return Ok(Decided::Again),
        };
        self.use_up(id).await?;
        let consent = self.agree(&open.client, &open.request, &person, team).await?;
        Ok(Decided::Back(self.issue_code(&open.client, &open.request, &person, browser, &consent).await?))
    }

    /// Reads a request that a person is looking at, if it is this browser's and still open.
    pub(crate) async fn open(&self, id: &AuthorizationId, browser: Browser<'_>) -> Result<Open> {
        let over = || Error::problem(ProblemCode::AuthorizationOver);
        let row = self.store().authorizations.get(id).await?.ok_or_else(over)?;
        let own = browser.secret.is_some_and(|secret| TokenHash::of(secret.expose()) == row.browser);
        if !own {
            return Err(Error::problem(ProblemCode::AuthorizationForeignBrowser));
        }
        if row.decided_at.is_some() || row.expires_at <= self.now() {
            return Err(over());
        }
        let request = AuthorizationRequest::from_json(&row.request).ok_or_else(over)?;
        let client = self.client(row.client_id.as_str()).await?.ok_or_else(over)?;
        // What was registered may have changed meanwhile.
        if !self.may_still_ask(&client, &request) {
            return Err(over());
        }
        Ok(Open { row, request, client })
    }

    /// Whether an application may still ask for what it asked for.
    pub(crate) fn may_still_ask(&self, client: &Client, request: &AuthorizationRequest) -> bool {
        let settings = &client.settings;
        self.redirect_uris(client).any(|own| own.admits(request.redirect_uri.as_str()))
            && settings.allows(GrantType::AuthorizationCode)
            && request.scopes.iter().all(|scope| self.may_ask_for(client, scope))
    }

    async fn use_up(&self, id: &AuthorizationId) -> Result<()> {
        if self.store().authorizations.decide(id, self.now()).await? {
            Ok(())
        } else {
            Err(Error::problem(ProblemCode::AuthorizationOver))
        }
    }

    /// Who is signed in for a request: whoever signed in on its page, or earlier in this browser where that is good enough.
    pub(crate) async fn person(&self, open: &Open, browser: Browser<'_>) -> Result<Option<Person>> {
        let person = match self.signed_in(browser).await? {
            // The browser's cookie and the request must mean the same person: in another tab somebody else may have signed in.
            Some(person) => match &open.row.user {
                Some((user, auth_time)) if *user == person.user.id => {
                    Some(Person { auth_time: *auth_time, ..person })
                }
                Some(_) => None,
                None => Some(person).filter(|person| {
                    !open.request.prompt.iter().any(|p| matches!(p, Prompt::Login | Prompt::SelectAccount))
                        && is_fresh(&open.request, person, open.row.created_at)
                }),
            },
            None => None,
        };
        Ok(person.filter(|person| may_sign_in(&open.client, &person.user)))
    }

    /// Who is signed in in a browser. Whoever came by a back end that is off by now is not.
    pub(crate) async fn signed_in(&self, browser: Browser<'_>) -> Result<Option<Person>> {
        let Some(secret) = browser.sign_in else { return Ok(None) };
        let found = self.store().users.signed_in(&TokenHash::of(secret.expose()), self.now()).await?;
        let found = found.filter(|(_, user)| self.parts.settings.login.has(&user.backend));
        Ok(found.map(|(sign_in, user)| Person { user, auth_time: sign_in.auth_time }))
    }

    /// The redirect URIs that an application may use. What the operator allows those that nobody looked at counts at every request,
    /// also for one that came when more was allowed.
    fn redirect_uris<'a>(&self, client: &'a Client) -> impl Iterator<Item = &'a RedirectUri> {
        let mcp = &self.parts.settings.mcp;
        client.settings.redirect_uris.iter().filter(|uri| client.is_looked_at() || mcp.allows(uri))
    }

    /// What is open: an earlier consent covers the request, for one team, and the application can be known again.
    async fn standing(
        &self,
        client: &Client,
        request: &AuthorizationRequest,
        user: &User,
    ) -> Result<Standing> {
        let teams = self.store().users.teams(&user.id).await?;
        // Of several teams it is the person who chooses, unless nobody may ask them.
        let chooses = teams.len() > 1 && !request.prompt.contains(&Prompt::None);
        if chooses || client.is_asked_about_every_time(request.redirect_uri.as_str()) {
            return Ok(Standing::Open(teams));
        }
        let consents = self.store().grants.between(&user.id, &client.id).await?;
        let is_still_theirs = |team: &Option<TeamId>| match team {
            Some(team) => teams.iter().any(|own| own.team == *team),
            None => teams.is_empty(),
        };
        let covers = |consent: &&Consent| {
            request.scopes.missing_in(&consent.scopes).is_empty()
                && self.agreed_resources(request).iter().all(|own| consent.resources.contains(own))
                && is_still_theirs(&consent.team)
        };
        let mut agreed = consents.iter().filter(covers);
        Ok(match (agreed.next(), agreed.next()) {
            (Some(only), None) => Standing::Agreed(Box::new(only.clone())),
            _ => Standing::Open(teams),
        })
    }
}

fn csrf(id: &AuthorizationId, browser: Browser<'_>) -> Result<String> {
    let secret = browser.secret.ok_or_else(|| Error::problem(ProblemCode::AuthorizationForeignBrowser))?;
    Ok(vault::csrf::token(secret, FORM, &id.to_string()))
}

/// Whether a form comes from the page that this browser was shown.
pub(crate) fn check_csrf(id: &AuthorizationId, browser: Browser<'_>, token: &str) -> Result<()> {
    let is_own =
        browser.secret.is_some_and(|secret| vault::csrf::is_token(token, secret, FORM, &id.to_string()));
    if is_own { Ok(()) } else { Err(Error::problem(ProblemCode::ForeignForm)) }
}

/// OpenID Connect Core §3.1.2.1, `max_age`, at that instant.
fn is_fresh(request: &AuthorizationRequest, person: &Person, at: Timestamp) -> bool {
    let Some(max_age) = request.max_age else { return true };
    known_time(person.auth_time).is_some_and(|auth_time| auth_time + max_age >= at)
}

/// Whether an application takes people of this user's back end.
fn may_sign_in(client: &Client, user: &User) -> bool {
    client.settings.login.as_ref().is_none_or(|login| login.contains(&user.backend))
}
