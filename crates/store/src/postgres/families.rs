use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{FamilyId, Timestamp};
use vault::TokenHash;

use super::{ANSWER_TIMEOUT, Postgres, execute, find, settle};
use crate::Result;
use crate::families::{AccessToken, Code, Families, Family, Redeemed, Rotation};
use crate::rows::families::{self, access_token_columns, code_columns, family_columns};
use crate::value::Value;

// Whatever takes several rows takes a grant before its codes and families, and a family before its tokens, so that no two
// wait for each other. What would go against that order does not wait (SKIP LOCKED).

const ADD_CODE: &str = concat!(
    "WITH g AS (UPDATE grants SET used_at = $12 WHERE id = $1 RETURNING id) INSERT INTO codes (",
    code_columns!(),
    ", code) SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM g"
);
const CODE: &str = concat!("SELECT ", code_columns!(), " FROM codes WHERE code = $1");
const USE_GRANT: &str = "UPDATE grants SET used_at = $2 WHERE id = $1";
const REDEEM: &str = "UPDATE codes SET redeemed = $2 WHERE code = $1 AND grant_id = $3 AND redeemed IS NULL \
    AND expires_at > $4";
const ADD_FAMILY: &str = concat!(
    "INSERT INTO families (",
    family_columns!(),
    ", over_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
);
const ADD_ACCESS_TOKEN: &str = concat!(
    "INSERT INTO access_tokens (",
    access_token_columns!(),
    ", token) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
);
const OF_HANDLE: &str = concat!("SELECT ", family_columns!(), " FROM families WHERE handle = $1");
/// One statement, so that the family is held no longer than that takes. It never goes before an access token that was issued
/// earlier and for longer. A use of the grant is known to the hour, so that not every refresh writes one.
const ROTATE: &str = concat!(
    "WITH f AS (UPDATE families SET current = $3, generation = generation + 1, idle_until = $4, \
     over_at = GREATEST(over_at, LEAST(ends_at, $4), $5) \
     WHERE id = $1 AND current = $2 AND idle_until > $6 AND ends_at > $6 RETURNING id, grant_id), \
     a AS (INSERT INTO refresh_answers (spent, family, answer, kept_until) \
     SELECT $2, id, $7, $8 FROM f WHERE $7::bytea IS NOT NULL), \
     g AS (UPDATE grants SET used_at = $6 WHERE id = (SELECT id FROM grants WHERE id = (SELECT grant_id FROM f) \
     AND (used_at IS NULL OR used_at <= $6 - 3600000) FOR NO KEY UPDATE SKIP LOCKED)) \
     INSERT INTO access_tokens (",
    access_token_columns!(),
    ", token) SELECT $9, $10, $11, $12, $13, $14, $15, $16, $17 FROM f"
);
const KEPT_ANSWER: &str = "SELECT answer FROM refresh_answers WHERE spent = $1 AND kept_until > $2";
const REVOKE: &str = "DELETE FROM families WHERE id = $1";
const ACCESS_TOKEN: &str =
    concat!("SELECT ", access_token_columns!(), " FROM access_tokens WHERE token = $1 AND expires_at > $2");
const REVOKE_ACCESS_TOKEN: &str = "DELETE FROM access_tokens WHERE token = $1";
const SWEEP_ANSWERS: &str = "DELETE FROM refresh_answers WHERE spent IN \
    (SELECT spent FROM refresh_answers WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2 FOR UPDATE SKIP LOCKED)";
/// What belongs to a family before the family, so that little is left that goes with it.
const SWEEPS: [&str; 3] = [
    "DELETE FROM codes WHERE code IN \
     (SELECT code FROM codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
    "DELETE FROM access_tokens WHERE token IN \
     (SELECT token FROM access_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
    "DELETE FROM families WHERE id IN \
     (SELECT id FROM families WHERE over_at < $1 ORDER BY over_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
];

#[async_trait]
impl Families for Postgres {
    async fn add_code(&self, code: &TokenHash, record: &Code) -> Result<bool> {
        Ok(self.execute(ADD_CODE, &families::code_values(code, record)?).await? > 0)
    }

    async fn code(&self, code: &TokenHash) -> Result<Option<Code>> {
        self.find(CODE, &[Value::hash(code)], families::code).await
    }

    async fn redeem(
        &self,
        code: &TokenHash,
        now: Timestamp,
        family: &Family,
        access_token: &TokenHash,
        access: &AccessToken,
    ) -> Result<Redeemed> {
        let values = [Value::hash(code), Value::word(family.id), Value::word(family.grant), now.into()];
        let access_values = families::access_token_values(access_token, Some(&family.id), access)?;
        let family = families::family_values(family, access.expires_at)?;
        let mut client = self.client().await?;
        let redeemed = redeem(&mut client, &values, &family, &access_values);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, redeemed).await;
        settle(client, answer)
    }

    async fn of_handle(&self, handle: &TokenHash) -> Result<Option<Family>> {
        self.find(OF_HANDLE, &[Value::hash(handle)], families::family).await
    }

    async fn rotate(&self, rotation: &Rotation, now: Timestamp) -> Result<bool> {
        let access =
            families::access_token_values(&rotation.access_token, Some(&rotation.family), &rotation.access)?;
        let values: Vec<_> = families::rotation_values(rotation, now).into_iter().chain(access).collect();
        Ok(self.execute(ROTATE, &values).await? > 0)
    }

    async fn kept_answer(&self, spent: &TokenHash, now: Timestamp) -> Result<Option<Vec<u8>>> {
        self.find(KEPT_ANSWER, &[Value::hash(spent), now.into()], families::answer).await
    }

    async fn revoke(&self, family: &FamilyId) -> Result<bool> {
        Ok(self.execute(REVOKE, &[Value::word(family)]).await? > 0)
    }

    async fn add_access_token(&self, token: &TokenHash, access: &AccessToken) -> Result<()> {
        let values = families::access_token_values(token, None, access)?;
        self.execute(ADD_ACCESS_TOKEN, &values).await.map(drop)
    }

    async fn access_token(&self, token: &TokenHash, now: Timestamp) -> Result<Option<AccessToken>> {
        self.find(ACCESS_TOKEN, &[Value::hash(token), now.into()], families::access_token).await
    }

    async fn revoke_access_token(&self, token: &TokenHash) -> Result<bool> {
        Ok(self.execute(REVOKE_ACCESS_TOKEN, &[Value::hash(token)]).await? > 0)
    }

    async fn sweep_answers(&self, now: Timestamp, limit: u32) -> Result<u64> {
        self.execute(SWEEP_ANSWERS, &[now.into(), i64::from(limit).into()]).await
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        let mut swept = 0;
        for sweep in SWEEPS {
            swept += self.execute(sweep, &values).await?;
        }
        Ok(swept)
    }
}

async fn redeem(
    client: &mut Object,
    values: &[Value; 4],
    family: &[Value],
    access_token: &[Value],
) -> Result<Redeemed> {
    let transaction = client.transaction().await?;
    if execute(&transaction, USE_GRANT, &values[2..]).await? == 0 {
        return Ok(Redeemed::Gone);
    }
    // Without its commit the transaction takes the use back.
    if execute(&transaction, REDEEM, values).await? == 0 {
        let code = find(&transaction, CODE, &values[..1], families::code).await?;
        return Ok(Redeemed::too_late(code));
    }
    execute(&transaction, ADD_FAMILY, family).await?;
    execute(&transaction, ADD_ACCESS_TOKEN, access_token).await?;
    transaction.commit().await?;
    Ok(Redeemed::Done)
}
