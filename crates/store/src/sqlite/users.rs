use async_trait::async_trait;
use model::{TeamId, Timestamp, UserId};
use rusqlite::Connection as Database;
use vault::TokenHash;

use super::{Sqlite, all, execute, find};
use crate::rows::users::{self, membership_columns, signed_in_columns, user_columns};
use crate::users::{Membership, SignIn, SignedOut, ToldMembership, User, Users};
use crate::value::{Value, optional_text};
use crate::{Error, Result};

const CREATE: &str = concat!(
    "INSERT INTO users (",
    user_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (backend, login) DO NOTHING"
);
const LEARN: &str = concat!(
    "INSERT INTO users (",
    user_columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (backend, login) DO UPDATE \
     SET email = excluded.email, name = excluded.name, updated_at = excluded.updated_at RETURNING ",
    user_columns!()
);
const GET: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = ?1");
const OF_LOGIN: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE backend = ?1 AND login = ?2");
const LIST: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id > ?1 ORDER BY id LIMIT ?2");
const SET_NAME: &str = "UPDATE users SET name = ?2, updated_at = ?3 WHERE id = ?1";
const SET_EMAIL: &str = "UPDATE OR IGNORE users SET email = ?2, login = ?3, updated_at = ?4 WHERE id = ?1";
const SET_PASSWORD: &str = "UPDATE users SET password = ?2, updated_at = ?3 WHERE id = ?1";
const SET_DISABLED: &str = "UPDATE users SET disabled_at = ?2, updated_at = ?3 WHERE id = ?1";
/// What is theirs goes with them.
const REMOVE: &str = "DELETE FROM users WHERE id = ?1";
const NAME_TEAM: &str =
    "INSERT INTO teams (name, id) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = excluded.name";
/// A name that it has stays.
const NAME_NEW_TEAM: &str = "INSERT INTO teams (name, id) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING";
const JOIN: &str = "INSERT INTO memberships (team, \"user\", role) VALUES (?1, ?2, ?3) \
    ON CONFLICT (\"user\", team) DO UPDATE SET role = excluded.role";
const LEAVE: &str = "DELETE FROM memberships WHERE \"user\" = ?1 AND team = ?2";
/// Codes, families and their tokens go with the grants.
const END_GRANTS: &str = "DELETE FROM grants WHERE \"user\" = ?1 AND team = ?2";
const TEAMS: &str = concat!(
    "SELECT ",
    membership_columns!(),
    " FROM memberships m JOIN teams t ON t.id = m.team WHERE m.\"user\" = ?1"
);
const SIGN_IN: &str = "INSERT INTO sign_ins (browser, \"user\", auth_time, expires_at) \
    SELECT ?1, id, ?3, ?4 FROM users WHERE id = ?2 AND disabled_at IS NULL \
    ON CONFLICT (browser) DO UPDATE \
    SET \"user\" = excluded.\"user\", auth_time = excluded.auth_time, expires_at = excluded.expires_at";
const SIGNED_IN: &str = concat!(
    "SELECT ",
    signed_in_columns!(),
    " FROM sign_ins s JOIN users u ON u.id = s.\"user\" \
     WHERE s.browser = ?1 AND s.expires_at > ?2 AND u.disabled_at IS NULL"
);
const SIGN_OUT: &str = "DELETE FROM sign_ins WHERE browser = ?1";
const END_SIGN_INS: &str = "DELETE FROM sign_ins WHERE \"user\" = ?1";
const END_CODES: &str = "DELETE FROM codes WHERE grant_id IN (SELECT id FROM grants WHERE \"user\" = ?1)";
const END_FAMILIES: &str =
    "DELETE FROM families WHERE grant_id IN (SELECT id FROM grants WHERE \"user\" = ?1)";
const ASK_AGAIN: &str = "UPDATE authorizations SET \"user\" = NULL, auth_time = NULL \
    WHERE \"user\" = ?1 AND decided_at IS NULL";
const SWEEP: &str = "DELETE FROM sign_ins WHERE browser IN \
    (SELECT browser FROM sign_ins WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";

fn teams(database: &Database, user: &Value) -> Result<Vec<Membership>> {
    all(database, TEAMS, [user], users::membership)
}

fn join(database: &Database, name_team: &'static str, values: &[Value; 4]) -> Result<()> {
    execute(database, name_team, &values[..2])?;
    execute(database, JOIN, &values[1..]).map(drop)
}

fn leave(database: &Database, values: &[Value; 2]) -> Result<bool> {
    let left = execute(database, LEAVE, values)? > 0;
    if left {
        execute(database, END_GRANTS, values)?;
    }
    Ok(left)
}

fn sign_out_everywhere(database: &Database, user: &Value) -> Result<SignedOut> {
    execute(database, END_CODES, [user])?;
    let families = execute(database, END_FAMILIES, [user])? as u64;
    let sign_ins = execute(database, END_SIGN_INS, [user])? as u64;
    execute(database, ASK_AGAIN, [user])?;
    Ok(SignedOut { sign_ins, families })
}

#[async_trait]
impl Users for Sqlite {
    async fn create(&self, user: &User) -> Result<bool> {
        let values = users::user_values(user)?;
        self.writer.write(&[], move |database| Ok(execute(database, CREATE, &values)? > 0)).await
    }

    async fn learn(&self, user: &User, told: Option<&[ToldMembership]>) -> Result<User> {
        let values = users::user_values(user)?;
        let told = users::told_teams(&user.id, told)?;
        self.writer
            .write(&[], move |database| {
                let known = find(database, LEARN, &values, users::user)?.ok_or_else(Error::no_answer)?;
                let Some(told) = &told else { return Ok(known) };
                let id = Value::word(known.id);
                let had = teams(database, &id)?;
                let (ended, written) = users::changes(&had, told);
                for team in ended {
                    leave(database, &[id.clone(), Value::word(team)])?;
                }
                for told in written {
                    let name_team = if told.name.is_some() { NAME_TEAM } else { NAME_NEW_TEAM };
                    join(database, name_team, &users::told_values(&known.id, told)?)?;
                }
                Ok(known)
            })
            .await
    }

    async fn get(&self, id: &UserId) -> Result<Option<User>> {
        self.readers.read(|database| find(database, GET, &[Value::word(id)], users::user))
    }

    async fn of_login(&self, backend: &str, login: &str) -> Result<Option<User>> {
        let Some(values) = users::login_values(backend, login) else { return Ok(None) };
        self.readers.read(|database| find(database, OF_LOGIN, &values, users::user))
    }

    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<User>> {
        let values = users::list_values(after, limit);
        self.scan(move |database| all(database, LIST, &values, users::user)).await
    }

    async fn set_name(&self, id: &UserId, name: Option<&str>, now: Timestamp) -> Result<bool> {
        let values = [Value::word(id), optional_text("users.name", name)?, now.into()];
        self.writer.write(&[], move |database| Ok(execute(database, SET_NAME, &values)? > 0)).await
    }

    async fn set_email(&self, id: &UserId, email: &str, login: &str, now: Timestamp) -> Result<bool> {
        let values = users::email_values(id, email, login, now)?;
        self.writer.write(&[], move |database| Ok(execute(database, SET_EMAIL, &values)? > 0)).await
    }

    async fn set_password(&self, id: &UserId, password: &str, now: Timestamp) -> Result<Option<SignedOut>> {
        let values = [Value::word(id), Value::text("users.password", password)?, now.into()];
        self.writer
            .write(&[], move |database| {
                let is_set = execute(database, SET_PASSWORD, &values)? > 0;
                is_set.then(|| sign_out_everywhere(database, &values[0])).transpose()
            })
            .await
    }

    async fn set_disabled(
        &self,
        id: &UserId,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SignedOut>> {
        let values = [Value::word(id), since.into(), now.into()];
        self.writer
            .write(&[], move |database| {
                if execute(database, SET_DISABLED, &values)? == 0 {
                    return Ok(None);
                }
                if since.is_none() {
                    return Ok(Some(SignedOut::default()));
                }
                sign_out_everywhere(database, &values[0]).map(Some)
            })
            .await
    }

    async fn remove(&self, id: &UserId) -> Result<bool> {
        let id = Value::word(id);
        self.writer.write(&[], move |database| Ok(execute(database, REMOVE, [&id])? > 0)).await
    }

    async fn join(&self, user: &UserId, membership: &Membership) -> Result<bool> {
        let values = users::membership_values(user, membership)?;
        self.writer
            .write(&[], move |database| {
                if find(database, GET, &values[2..3], users::user)?.is_none() {
                    return Ok(false);
                }
                join(database, NAME_TEAM, &values).map(|()| true)
            })
            .await
    }

    async fn leave(&self, user: &UserId, team: &TeamId) -> Result<bool> {
        let values = [Value::word(user), Value::word(team)];
        self.writer.write(&[], move |database| leave(database, &values)).await
    }

    async fn teams(&self, user: &UserId) -> Result<Vec<Membership>> {
        self.readers.read(|database| teams(database, &Value::word(user))).map(users::by_name)
    }

    async fn sign_in(&self, browser: &TokenHash, sign_in: &SignIn) -> Result<bool> {
        let values = users::sign_in_values(browser, sign_in);
        self.writer.write(&[], move |database| Ok(execute(database, SIGN_IN, &values)? > 0)).await
    }

    async fn signed_in(&self, browser: &TokenHash, now: Timestamp) -> Result<Option<(SignIn, User)>> {
        let values = [Value::hash(browser), now.into()];
        self.readers.read(|database| find(database, SIGNED_IN, &values, users::signed_in))
    }

    async fn sign_out(&self, browser: &TokenHash) -> Result<bool> {
        let browser = Value::hash(browser);
        self.writer.write(&[], move |database| Ok(execute(database, SIGN_OUT, [&browser])? > 0)).await
    }

    async fn sign_out_everywhere(&self, id: &UserId) -> Result<SignedOut> {
        let id = Value::word(id);
        self.writer.write(&[], move |database| sign_out_everywhere(database, &id)).await
    }

    async fn sweep_sign_ins(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let values = [now.into(), i64::from(limit).into()];
        self.writer.write(&[], move |database| Ok(execute(database, SWEEP, &values)? as u64)).await
    }
}
