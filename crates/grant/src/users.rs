//! Users and their teams, as operators look after them.

use model::{Actor, AuditEvent, Outcome, ProblemCode, Secret, TeamId, UserId};
use store::users::{Membership, PasswordHash, SignedOut, User};

use crate::login::local;
use crate::{Error, Grant, Result};

/// The longest name and address, in characters.
const MAX_NAME: usize = 100;
/// How many teams a new user may have.
const MAX_TEAMS: usize = 50;
const MAX_EMAIL: usize = 254;

/// A user who is to be kept here.
pub struct NewUser {
    /// Their address, with which they sign in.
    pub email: String,
    /// What people call them.
    pub name: Option<String>,
    /// Their password.
    pub password: Secret<String>,
    /// Their teams.
    pub teams: Vec<Membership>,
}

/// What is to change about a user; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// What people call them.
    pub name: Option<Option<String>>,
    /// Their address, with which they sign in.
    pub email: Option<String>,
    /// Whether they may no longer sign in.
    pub disabled: Option<bool>,
}

impl Grant {
    /// Makes a user who signs in with a password.
    pub async fn create_user(&self, new: NewUser, by: Actor) -> Result<User> {
        check_email(&new.email)?;
        check_name("name", new.name.as_deref())?;
        if new.teams.len() > MAX_TEAMS {
            return Err(Error::field("teams", "name at most 50"));
        }
        for team in &new.teams {
            check_name("teams", Some(&team.name))?;
            check_name("teams", team.role.as_deref())?;
        }
        let now = self.now();
        let password = self.hash_password(&new.password).await?;
        let user = User {
            id: vault::random::id(),
            backend: local::NAME.to_owned(),
            login: local::login_of(&new.email),
            email: Some(new.email.trim().to_owned()),
            name: new.name,
            password: Some(PasswordHash(password)),
            created_at: now,
            updated_at: now,
            disabled_at: None,
        };
        if !self.store().users.create(&user).await? {
            return Err(Error::problem(ProblemCode::UserExists));
        }
        for team in &new.teams {
            self.store().users.join(&user.id, team).await?;
        }
        self.remember(AuditEvent::new(now, "user.created", Outcome::Success, by).target(user.id)).await?;
        Ok(user)
    }

    /// Users, page by page.
    pub async fn users(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<User>> {
        Ok(self.store().users.list(after, limit).await?)
    }

    /// One user with their teams.
    pub async fn user(&self, id: &UserId) -> Result<(User, Vec<Membership>)> {
        let user = self.store().users.get(id).await?.ok_or_else(user_not_found)?;
        let teams = self.store().users.teams(id).await?;
        Ok((user, teams))
    }

    /// The user who has this address here.
    pub async fn user_of_email(&self, email: &str) -> Result<User> {
        let found = self.store().users.of_login(local::NAME, &local::login_of(email)).await?;
        found.ok_or_else(user_not_found)
    }

    /// Changes what is said of a user.
    pub async fn change_user(&self, id: &UserId, change: UserChange, by: Actor) -> Result<()> {
        let (user, _) = self.user(id).await?;
        if let Some(name) = &change.name {
            check_name("name", name.as_deref())?;
        }
        if let Some(email) = &change.email {
            check_email(email)?;
            if user.backend != local::NAME {
                return Err(Error::problem(ProblemCode::UserIsElsewhere));
            }
        }
        let (users, now) = (&self.store().users, self.now());
        if let Some(email) = &change.email
            && !users.set_email(id, email.trim(), &local::login_of(email), now).await?
        {
            self.user(id).await?;
            return Err(Error::problem(ProblemCode::UserExists));
        }
        if let Some(name) = &change.name
            && !users.set_name(id, name.as_deref(), now).await?
        {
            return Err(user_not_found());
        }
        if change.name.is_some() || change.email.is_some() {
            self.told(id, "user.changed", by.clone()).await?;
        }
        if let Some(disabled) = change.disabled {
            self.set_disabled(id, disabled, by).await?;
        }
        Ok(())
    }

    /// Changes a password; the user is signed out everywhere, and every application has to ask again.
    pub async fn set_password(&self, id: &UserId, password: &Secret<String>, by: Actor) -> Result<SignedOut> {
        let (user, _) = self.user(id).await?;
        if user.backend != local::NAME {
            return Err(Error::problem(ProblemCode::UserIsElsewhere));
        }
        let password = self.hash_password(password).await?;
        let now = self.now();
        let out = self.store().users.set_password(id, &password, now).await?.ok_or_else(user_not_found)?;
        self.told(id, "user.password_changed", by).await?;
        Ok(out)
    }

    /// Lets a user sign in again, or no longer; then they are signed out everywhere.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool, by: Actor) -> Result<SignedOut> {
        let now = self.now();
        let since = disabled.then_some(now);
        let out = self.store().users.set_disabled(id, since, now).await?.ok_or_else(user_not_found)?;
        self.told(id, if disabled { "user.disabled" } else { "user.enabled" }, by).await?;
        Ok(out)
    }

    /// Ends all sign-ins and all tokens of a user; the consents stay.
    pub async fn sign_out_everywhere(&self, id: &UserId, by: Actor) -> Result<SignedOut> {
        self.user(id).await?;
        let out = self.store().users.sign_out_everywhere(id).await?;
        self.told(id, "user.signed_out_everywhere", by).await?;
        Ok(out)
    }

    /// Removes a user with everything that is theirs.
    pub async fn remove_user(&self, id: &UserId, by: Actor) -> Result<()> {
        if !self.store().users.remove(id).await? {
            return Err(user_not_found());
        }
        self.told(id, "user.removed", by).await
    }

    /// Makes a user a member of a team.
    pub async fn join(&self, id: &UserId, membership: &Membership, by: Actor) -> Result<()> {
        check_name("name", Some(&membership.name))?;
        check_name("role", membership.role.as_deref())?;
        if !self.store().users.join(id, membership).await? {
            return Err(user_not_found());
        }
        let event = AuditEvent::new(self.now(), "membership.written", Outcome::Success, by).target(id);
        self.remember(event.fact("team", membership.team.as_str())).await
    }

    /// Ends a membership, with the consents that act for the team.
    pub async fn leave(&self, id: &UserId, team: &TeamId, by: Actor) -> Result<()> {
        self.user(id).await?;
        if !self.store().users.leave(id, team).await? {
            return Err(Error::problem(ProblemCode::MembershipNotFound));
        }
        let event = AuditEvent::new(self.now(), "membership.ended", Outcome::Success, by).target(id);
        self.remember(event.fact("team", team.as_str())).await
    }

    async fn told(&self, id: &UserId, event: &str, by: Actor) -> Result<()> {
        self.remember(AuditEvent::new(self.now(), event, Outcome::Success, by).target(id)).await
    }
}

fn user_not_found() -> Error {
    Error::problem(ProblemCode::UserNotFound)
}

pub(crate) fn check_name(field: &'static str, name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    if name.trim().is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::field(field, "use 1 to 100 characters"));
    }
    Ok(())
}

/// One sign, something on both sides, nothing that no address has. Whether it is reached, only a mail shows.
pub(crate) fn check_email(email: &str) -> Result<()> {
    let email = email.trim();
    let halves = email.split_once('@');
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;:\"()[]\\".contains(c);
    let is_good = halves.is_some_and(|(local, domain)| {
        !local.is_empty() && local.len() <= 64 && !domain.is_empty() && !domain.contains('@')
    });
    if is_good && email.len() <= MAX_EMAIL && email.chars().all(is_plain) {
        Ok(())
    } else {
        Err(Error::field("email", "use one mail address"))
    }
}
