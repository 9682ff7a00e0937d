//! People who sign in at our authorize page, their teams, and the browsers in which they are signed in.

use std::fmt;

use async_trait::async_trait;
use model::{TeamId, Timestamp, UserId};
use vault::TokenHash;

use crate::Result;

/// The argon2id hash of a password (PHC string). It does not print itself: who has it can guess at leisure.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash]")
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id, the `sub` of their tokens.
    pub id: UserId,
    /// The login back end that knows them.
    pub backend: String,
    /// How it knows them: a mail address in lower case at `local`, a subject at an OpenID provider. Unique within it.
    pub login: String,
    /// Their mail address, where the back end tells one.
    pub email: Option<String>,
    /// What people call them.
    pub name: Option<String>,
    /// The hash of their password, at `local` alone.
    pub password: Option<PasswordHash>,
    /// When they first came.
    pub created_at: Timestamp,
    /// When anything of this last changed.
    pub updated_at: Timestamp,
    /// From when on they may not sign in.
    pub disabled_at: Option<Timestamp>,
}

/// An account of the product that a user belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub team: TeamId,
    /// What people call it.
    pub name: String,
    /// What the user is there, in the product's own word.
    pub role: Option<String>,
}

/// A membership, as a login back end tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldMembership {
    /// Which account of the product.
    pub team: TeamId,
    /// What people call it. Without a name it keeps the one that it has; a new one is called by its id.
    pub name: Option<String>,
    /// What the user is there, in the product's own word.
    pub role: Option<String>,
}

/// A browser in which somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Who.
    pub user: UserId,
    /// When they proved it (the `auth_time` of OpenID Connect Core §2); the epoch where nobody knows.
    pub auth_time: Timestamp,
    /// Until when the browser is believed.
    pub expires_at: Timestamp,
}

/// What "sign out everywhere" ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignedOut {
    /// How many browsers.
    pub sign_ins: u64,
    /// How many families of tokens.
    pub families: u64,
}

/// The rows of `users`, `teams`, `memberships` and `sign_ins`.
#[async_trait]
pub trait Users: Send + Sync {
    /// Writes a new user; `false` when the login is taken in its back end.
    async fn create(&self, user: &User) -> Result<bool>;
    /// Writes what a back end tells of a user at a sign-in: a new row under `user.id`, or name, address and `updated_at` of the
    /// row that has the same back end and login, whose id stays; and their teams, in place of all that they had: what they are
    /// no longer told to have ends as by [`Users::leave`]. Where nothing is told of teams, memberships stay. Answers the row as it is
    /// then.
    async fn learn(&self, user: &User, teams: Option<&[ToldMembership]>) -> Result<User>;
    /// Reads one.
    async fn get(&self, id: &UserId) -> Result<Option<User>>;
    /// Reads the one whom a back end knows by this.
    async fn of_login(&self, backend: &str, login: &str) -> Result<Option<User>>;
    /// Lists them by id, after one, at most `limit`.
    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<User>>;
    /// Changes the name; `false` where there is no such user.
    async fn set_name(&self, id: &UserId, name: Option<&str>, now: Timestamp) -> Result<bool>;
    /// Changes the address, and the login with it; `false` where there is no such user, or another has that login in the same back
    /// end.
    async fn set_email(&self, id: &UserId, email: &str, login: &str, now: Timestamp) -> Result<bool>;
    /// Changes the password and signs out everywhere; `None` where there is no such user.
    async fn set_password(&self, id: &UserId, password: &str, now: Timestamp) -> Result<Option<SignedOut>>;
    /// Lets them sign in again, or no longer: then they are signed out everywhere. `None` where there is no such user.
    async fn set_disabled(
        &self,
        id: &UserId,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SignedOut>>;
    /// Removes one with memberships, sign-ins, grants, families and tokens; `false` where there is none.
    async fn remove(&self, id: &UserId) -> Result<bool>;

    /// Writes a membership, with the team's name for everybody; `false` where there is no such user.
    async fn join(&self, user: &UserId, membership: &Membership) -> Result<bool>;
    /// Ends a membership, with the grants that act for the team; `false` where there is none.
    async fn leave(&self, user: &UserId, team: &TeamId) -> Result<bool>;
    /// The teams of a user, by name.
    async fn teams(&self, user: &UserId) -> Result<Vec<Membership>>;

    /// Writes that somebody is signed in in a browser, in the place of whoever was; `false` where there is no such user, or one
    /// who may no longer sign in.
    async fn sign_in(&self, browser: &TokenHash, sign_in: &SignIn) -> Result<bool>;
    /// Who is signed in in a browser at `now`: `None` for nobody, or a user who may no longer sign in.
    async fn signed_in(&self, browser: &TokenHash, now: Timestamp) -> Result<Option<(SignIn, User)>>;
    /// Signs out of one browser; tokens go on.
    async fn sign_out(&self, browser: &TokenHash) -> Result<bool>;
    /// Ends all sign-ins, codes and families of a user; the consents stay. Whoever signed in for an authorization that is not
    /// decided has to do so again.
    async fn sign_out_everywhere(&self, id: &UserId) -> Result<SignedOut>;
    /// Deletes at most `limit` sign-ins that ended before `now`; tells how many.
    async fn sweep_sign_ins(&self, now: Timestamp, limit: u32) -> Result<u64>;
}
