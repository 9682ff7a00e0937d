use async_trait::async_trait;
use deadpool_postgres::{Object, Transaction};
use model::{TeamId, Timestamp, UserId};
use vault::TokenHash;

use super::issued::{OF_USER, OF_USER_IN_TEAM};
use super::{ANSWER_TIMEOUT, Postgres, execute, find, is_duplicate, query, settle};
use crate::rows::users::{self, membership_columns, signed_in_columns, user_columns};
use crate::users::{Membership, SignIn, SignedOut, ToldMembership, User, Users};
use crate::value::{Value, optional_text};
use crate::{Error, Result};

const CREATE: &str = concat!(
    "INSERT INTO users (",
    user_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (backend, login) DO NOTHING"
);
const LEARN: &str = concat!(
    "INSERT INTO users (",
    user_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (backend, login) DO UPDATE \
     SET email = excluded.email, name = excluded.name, updated_at = excluded.updated_at RETURNING ",
    user_columns!()
);
const GET: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
const OF_LOGIN: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE backend = $1 AND login = $2");
const LIST: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id > $1 ORDER BY id LIMIT $2");
const SET_NAME: &str = "UPDATE users SET name = $2, updated_at = $3 WHERE id = $1";
const SET_EMAIL: &str = "UPDATE users SET email = $2, login = $3, updated_at = $4 WHERE id = $1";
const SET_PASSWORD: &str = "UPDATE users SET password = $2, updated_at = $3 WHERE id = $1";
const SET_DISABLED: &str = "UPDATE users SET disabled_at = $2, updated_at = $3 WHERE id = $1";
/// Whatever changes what is a user's takes the user first, so that no two wait for each other.
const HOLD: &str = "SELECT 1 FROM users WHERE id = $1 FOR UPDATE";
/// By their ids, as whoever else deletes several.
const FORGET_AUTHORIZATIONS: &str = "DELETE FROM authorizations WHERE id IN \
    (SELECT id FROM authorizations WHERE \"user\" = $1 ORDER BY id FOR UPDATE)";
/// Memberships and sign-ins go with them.
const REMOVE: &str = "DELETE FROM users WHERE id = $1";
const NAME_TEAM: &str =
    "INSERT INTO teams (name, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name";
/// A name that it has stays.
const NAME_NEW_TEAM: &str = "INSERT INTO teams (name, id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const JOIN: &str = "INSERT INTO memberships (team, \"user\", role) VALUES ($1, $2, $3) \
    ON CONFLICT (\"user\", team) DO UPDATE SET role = excluded.role";
const LEAVE: &str = "DELETE FROM memberships WHERE \"user\" = $1 AND team = $2";
const TEAMS: &str = concat!(
    "SELECT ",
    membership_columns!(),
    " FROM memberships m JOIN teams t ON t.id = m.team WHERE m.\"user\" = $1"
);
/// Whoever ends all sign-ins of the user ends this one too, or it is not written.
const SIGN_IN: &str = "INSERT INTO sign_ins (browser, \"user\", auth_time, expires_at) \
    SELECT $1, id, $3, $4 FROM users WHERE id = $2 AND disabled_at IS NULL FOR SHARE \
    ON CONFLICT (browser) DO UPDATE \
    SET \"user\" = excluded.\"user\", auth_time = excluded.auth_time, expires_at = excluded.expires_at";
const SIGNED_IN: &str = concat!(
    "SELECT ",
    signed_in_columns!(),
    " FROM sign_ins s JOIN users u ON u.id = s.\"user\" \
     WHERE s.browser = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL"
);
const SIGN_OUT: &str = "DELETE FROM sign_ins WHERE browser = $1";
const END_SIGN_INS: &str = "DELETE FROM sign_ins WHERE \"user\" = $1";
const ASK_AGAIN: &str = "UPDATE authorizations SET \"user\" = NULL, auth_time = NULL WHERE id IN \
    (SELECT id FROM authorizations WHERE \"user\" = $1 AND decided_at IS NULL ORDER BY id FOR UPDATE)";
const SWEEP: &str = "DELETE FROM sign_ins WHERE browser IN \
    (SELECT browser FROM sign_ins WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl Users for Postgres {
    async fn create(&self, user: &User) -> Result<bool> {
        Ok(self.execute(CREATE, &users::user_values(user)?).await? > 0)
    }

    async fn learn(&self, user: &User, teams: Option<&[ToldMembership]>) -> Result<User> {
        let (values, told) = (users::user_values(user)?, users::told_teams(&user.id, teams)?);
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, learn(&mut client, &values, told.as_deref())).await;
        settle(client, answer)
    }

    async fn get(&self, id: &UserId) -> Result<Option<User>> {
        self.find(GET, &[Value::word(id)], users::user).await
    }

    async fn of_login(&self, backend: &str, login: &str) -> Result<Option<User>> {
        let Some(values) = users::login_values(backend, login) else { return Ok(None) };
        self.find(OF_LOGIN, &values, users::user).await
    }

    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<User>> {
        self.all(LIST, &users::list_values(after, limit), users::user).await
    }

    async fn set_name(&self, id: &UserId, name: Option<&str>, now: Timestamp) -> Result<bool> {
        let values = [Value::word(id), optional_text("users.name", name)?, now.into()];
        Ok(self.execute(SET_NAME, &values).await? > 0)
    }

    async fn set_email(&self, id: &UserId, email: &str, login: &str, now: Timestamp) -> Result<bool> {
        match self.execute(SET_EMAIL, &users::email_values(id, email, login, now)?).await {
            Err(error) if is_duplicate(&error) => Ok(false),
            changed => Ok(changed? > 0),
        }
    }

    async fn set_password(&self, id: &UserId, password: &str, now: Timestamp) -> Result<Option<SignedOut>> {
        let values = [Value::word(id), Value::text("users.password", password)?, now.into()];
        let mut client = self.client().await?;
        let set = set(&mut client, SET_PASSWORD, &values, true);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, set).await;
        settle(client, answer)
    }

    async fn set_disabled(
        &self,
        id: &UserId,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<SignedOut>> {
        let values = [Value::word(id), since.into(), now.into()];
        let mut client = self.client().await?;
        let set = set(&mut client, SET_DISABLED, &values, since.is_some());
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, set).await;
        settle(client, answer)
    }

    async fn remove(&self, id: &UserId) -> Result<bool> {
        let id = [Value::word(id)];
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, remove(&mut client, &id)).await;
        settle(client, answer)
    }

    async fn join(&self, user: &UserId, membership: &Membership) -> Result<bool> {
        let values = users::membership_values(user, membership)?;
        let mut client = self.client().await?;
        let joined = async {
            let transaction = client.transaction().await?;
            if query(&transaction, HOLD, &values[2..3]).await?.is_empty() {
                return Ok(false);
            }
            join(&transaction, NAME_TEAM, &values).await?;
            transaction.commit().await?;
            Ok(true)
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, joined).await;
        settle(client, answer)
    }

    async fn leave(&self, user: &UserId, team: &TeamId) -> Result<bool> {
        let values = [Value::word(user), Value::word(team)];
        let mut client = self.client().await?;
        let left = async {
            let transaction = client.transaction().await?;
            query(&transaction, HOLD, &values[..1]).await?;
            let left = leave(&transaction, &values).await?;
            transaction.commit().await?;
            Ok(left)
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, left).await;
        settle(client, answer)
    }

    async fn teams(&self, user: &UserId) -> Result<Vec<Membership>> {
        self.all(TEAMS, &[Value::word(user)], users::membership).await.map(users::by_name)
    }

    async fn sign_in(&self, browser: &TokenHash, sign_in: &SignIn) -> Result<bool> {
        Ok(self.execute(SIGN_IN, &users::sign_in_values(browser, sign_in)).await? > 0)
    }

    async fn signed_in(&self, browser: &TokenHash, now: Timestamp) -> Result<Option<(SignIn, User)>> {
        self.find(SIGNED_IN, &[Value::hash(browser), now.into()], users::signed_in).await
    }

    async fn sign_out(&self, browser: &TokenHash) -> Result<bool> {
        Ok(self.execute(SIGN_OUT, &[Value::hash(browser)]).await? > 0)
    }

    async fn sign_out_everywhere(&self, id: &UserId) -> Result<SignedOut> {
        let id = [Value::word(id)];
        let mut client = self.client().await?;
        let signed_out = async {
            let transaction = client.transaction().await?;
            query(&transaction, HOLD, &id).await?;
            let signed_out = sign_out_everywhere(&transaction, &id).await?;
            transaction.commit().await?;
            Ok(signed_out)
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, signed_out).await;
        settle(client, answer)
    }

    async fn sweep_sign_ins(&self, now: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP, &[now.into(), i64::from(limit).into()]).await
    }
}

async fn learn(client: &mut Object, values: &[Value; 9], told: Option<&[ToldMembership]>) -> Result<User> {
    let transaction = client.transaction().await?;
    let known = find(&transaction, LEARN, values, users::user).await?.ok_or_else(Error::no_answer)?;
    if let Some(told) = told {
        replace_teams(&transaction, &known.id, told).await?;
    }
    transaction.commit().await?;
    Ok(known)
}

async fn replace_teams(transaction: &Transaction<'_>, user: &UserId, told: &[ToldMembership]) -> Result<()> {
    let id = Value::word(user);
    let had = query(transaction, TEAMS, std::slice::from_ref(&id)).await?;
    let had = had.iter().map(|row| users::membership(row)).collect::<Result<Vec<_>>>()?;
    let (ended, written) = users::changes(&had, told);
    if !ended.is_empty() {
        query(transaction, HOLD, std::slice::from_ref(&id)).await?;
        OF_USER.hold(transaction, std::slice::from_ref(&id)).await?;
    }
    for team in ended {
        leave(transaction, &[id.clone(), Value::word(team)]).await?;
    }
    for told in written {
        let name_team = if told.name.is_some() { NAME_TEAM } else { NAME_NEW_TEAM };
        join(transaction, name_team, &users::told_values(user, told)?).await?;
    }
    Ok(())
}

async fn join(transaction: &Transaction<'_>, name_team: &'static str, values: &[Value; 4]) -> Result<()> {
    execute(transaction, name_team, &values[..2]).await?;
    execute(transaction, JOIN, &values[1..]).await.map(drop)
}

async fn leave(transaction: &Transaction<'_>, values: &[Value; 2]) -> Result<bool> {
    let left = execute(transaction, LEAVE, values).await? > 0;
    if left {
        OF_USER_IN_TEAM.withdraw(transaction, values).await?;
    }
    Ok(left)
}

/// Changes a user's row; whoever is told to is signed out everywhere.
async fn set(
    client: &mut Object,
    statement: &'static str,
    values: &[Value; 3],
    sign_out: bool,
) -> Result<Option<SignedOut>> {
    let transaction = client.transaction().await?;
    if query(&transaction, HOLD, &values[..1]).await?.is_empty() {
        return Ok(None);
    }
    execute(&transaction, statement, values).await?;
    let mut signed_out = SignedOut::default();
    if sign_out {
        signed_out = sign_out_everywhere(&transaction, &values[..1]).await?;
    }
    transaction.commit().await?;
    Ok(Some(signed_out))
}

async fn sign_out_everywhere(transaction: &Transaction<'_>, id: &[Value]) -> Result<SignedOut> {
    let families = OF_USER.end(transaction, id).await?;
    let sign_ins = execute(transaction, END_SIGN_INS, id).await?;
    execute(transaction, ASK_AGAIN, id).await?;
    Ok(SignedOut { sign_ins, families })
}

async fn remove(client: &mut Object, id: &[Value; 1]) -> Result<bool> {
    let transaction = client.transaction().await?;
    if query(&transaction, HOLD, id).await?.is_empty() {
        return Ok(false);
    }
    OF_USER.withdraw(&transaction, id).await?;
    execute(&transaction, FORGET_AUTHORIZATIONS, id).await?;
    let removed = execute(&transaction, REMOVE, id).await? > 0;
    transaction.commit().await?;
    Ok(removed)
}
