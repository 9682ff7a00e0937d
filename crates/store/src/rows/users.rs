//! Rows and records of users, their teams and their browsers, both ways.

use model::{TeamId, Timestamp, UserId};
use vault::TokenHash;

use crate::Result;
use crate::columns::{Columns, Reader};
use crate::users::{Membership, PasswordHash, SignIn, ToldMembership, User};
use crate::value::{Value, optional_text};

columns! {
    /// Read by [`user`].
    user_columns = "id, backend, login, email, name, password, created_at, updated_at, disabled_at";
    /// Read by [`membership`]; `m` is the membership, `t` its team.
    membership_columns = "t.id, t.name, m.role";
    /// Read by [`signed_in`]; `s` is the sign-in, `u` its user.
    signed_in_columns = "u.id, u.backend, u.login, u.email, u.name, u.password, u.created_at, u.updated_at, u.disabled_at, \
        s.auth_time, s.expires_at";
}

pub(crate) fn user(row: &dyn Columns) -> Result<User> {
    read(&mut Reader::of("users", user_columns!(), row))
}

fn read(row: &mut Reader<'_>) -> Result<User> {
    Ok(User {
        id: row.id()?,
        backend: row.text()?,
        login: row.text()?,
        email: row.optional_text()?,
        name: row.optional_text()?,
        password: row.optional_text()?.map(PasswordHash),
        created_at: row.time()?,
        updated_at: row.time()?,
        disabled_at: row.optional_time()?,
    })
}

pub(crate) fn membership(row: &dyn Columns) -> Result<Membership> {
    let mut row = Reader::of("memberships", membership_columns!(), row);
    Ok(Membership { team: row.id()?, name: row.text()?, role: row.optional_text()? })
}

pub(crate) fn signed_in(row: &dyn Columns) -> Result<(SignIn, User)> {
    let mut row = Reader::of("sign_ins", signed_in_columns!(), row);
    let user = read(&mut row)?;
    Ok((SignIn { user: user.id, auth_time: row.time()?, expires_at: row.time()? }, user))
}

/// The parameters for `user_columns`.
pub(crate) fn user_values(user: &User) -> Result<[Value; 9]> {
    Ok([
        Value::word(user.id),
        Value::text("users.backend", &user.backend)?,
        Value::text("users.login", &user.login)?,
        optional_text("users.email", user.email.as_deref())?,
        optional_text("users.name", user.name.as_deref())?,
        optional_text("users.password", user.password.as_ref().map(|hash| hash.0.as_str()))?,
        user.created_at.into(),
        user.updated_at.into(),
        user.disabled_at.into(),
    ])
}

/// The parameters of another address: whose, address, login, when.
pub(crate) fn email_values(id: &UserId, email: &str, login: &str, now: Timestamp) -> Result<[Value; 4]> {
    let (email, login) = (Value::text("users.email", email)?, Value::text("users.login", login)?);
    Ok([Value::word(id), email, login, now.into()])
}

/// What finds a user by their login: back end, login. Nobody's has a NUL character.
pub(crate) fn login_values(backend: &str, login: &str) -> Option<[Value; 2]> {
    let text = |text: &str| (!text.contains('\0')).then(|| Value::Text(text.to_owned()));
    Some([text(backend)?, text(login)?])
}

/// The parameters of a membership: name, team, user, role. The first two are the team's, the last three the membership's.
pub(crate) fn membership_values(user: &UserId, membership: &Membership) -> Result<[Value; 4]> {
    Ok([
        Value::text("teams.name", &membership.name)?,
        Value::word(&membership.team),
        Value::word(user),
        optional_text("memberships.role", membership.role.as_deref())?,
    ])
}

/// The parameters of a sign-in: browser, user, when, until.
pub(crate) fn sign_in_values(browser: &TokenHash, sign_in: &SignIn) -> [Value; 4] {
    [Value::hash(browser), Value::word(sign_in.user), sign_in.auth_time.into(), sign_in.expires_at.into()]
}

/// The parameters of a list: after whom, the limit.
pub(crate) fn list_values(after: Option<&UserId>, limit: u32) -> [Value; 2] {
    // Every id comes after the empty text.
    [after.map_or_else(|| Value::word(""), Value::word), i64::from(limit).into()]
}

/// The parameters of a membership that is told of, likewise.
pub(crate) fn told_values(user: &UserId, told: &ToldMembership) -> Result<[Value; 4]> {
    let name = told.name.clone().unwrap_or_else(|| told.team.to_string());
    membership_values(user, &Membership { team: told.team.clone(), name, role: told.role.clone() })
}

/// What a back end tells of a user's teams, if it can be written.
pub(crate) fn told_teams(
    user: &UserId,
    teams: Option<&[ToldMembership]>,
) -> Result<Option<Vec<ToldMembership>>> {
    teams.unwrap_or_default().iter().try_for_each(|told| told_values(user, told).map(drop))?;
    Ok(teams.map(<[_]>::to_vec))
}

/// By name, whatever an engine thinks of letters.
pub(crate) fn by_name(mut teams: Vec<Membership>) -> Vec<Membership> {
    teams.sort_by(|one, other| (&one.name, &one.team).cmp(&(&other.name, &other.team)));
    teams
}

/// What changes when somebody has the teams that are told of instead of those that they had: which memberships end, and which
/// are written. By the teams' ids, so that of two that write the same teams neither waits for the other in a circle.
pub(crate) fn changes<'a>(
    had: &'a [Membership],
    told: &'a [ToldMembership],
) -> (Vec<&'a TeamId>, Vec<&'a ToldMembership>) {
    let is_told = |team: &TeamId| told.iter().any(|told| told.team == *team);
    let mut ended: Vec<_> = had.iter().map(|had| &had.team).filter(|team| !is_told(team)).collect();
    ended.sort();
    let is_had = |told: &ToldMembership| {
        had.iter().any(|had| {
            had.team == told.team
                && had.role == told.role
                && told.name.as_ref().is_none_or(|name| *name == had.name)
        })
    };
    let mut written: Vec<_> = told.iter().filter(|told| !is_had(told)).collect();
    written.sort_by_key(|told| &told.team);
    (ended, written)
}
