use async_trait::async_trait;
use model::{FamilyId, Timestamp};
use vault::TokenHash;

use super::{Sqlite, execute, find};
use crate::Result;
use crate::families::{AccessToken, Code, Families, Family, Redeemed, Rotation};
use crate::rows::families::{self, access_token_columns, code_columns, family_columns};
use crate::value::Value;

const ADD_CODE: &str = concat!(
    "INSERT INTO codes (",
    code_columns!(),
    ", code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
);
const USE_GRANT: &str = "UPDATE grants SET used_at = ?2 WHERE id = ?1";
const CODE: &str = concat!("SELECT ", code_columns!(), " FROM codes WHERE code = ?1");
const REDEEM: &str = "UPDATE codes SET redeemed = ?2 WHERE code = ?1 AND grant_id = ?3 AND redeemed IS NULL \
    AND expires_at > ?4";
const ADD_FAMILY: &str = concat!(
    "INSERT INTO families (",
    family_columns!(),
    ", over_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
);
const ADD_ACCESS_TOKEN: &str = concat!(
    "INSERT INTO access_tokens (",
    access_token_columns!(),
    ", token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
);
const OF_HANDLE: &str = concat!("SELECT ", family_columns!(), " FROM families WHERE handle = ?1");
/// The family never goes before an access token that was issued earlier and for longer.
const ROTATE: &str = "UPDATE families SET current = ?3, generation = generation + 1, idle_until = ?4, \
    over_at = max(over_at, min(ends_at, ?4), ?5) WHERE id = ?1 AND current = ?2 AND idle_until > ?6 AND ends_at > ?6";
const KEEP_ANSWER: &str = "INSERT INTO refresh_answers (spent, family, answer, kept_until) \
    SELECT ?2, ?1, ?7, ?8 WHERE ?7 IS NOT NULL";
/// A use is known to the hour, so that not every refresh writes one.
const USE_GRANT_OF: &str = "UPDATE grants SET used_at = ?2 WHERE id = (SELECT grant_id FROM families WHERE id = ?1) \
    AND (used_at IS NULL OR used_at <= ?2 - 3600000)";
const KEPT_ANSWER: &str = "SELECT answer FROM refresh_answers WHERE spent = ?1 AND kept_until > ?2";
const REVOKE: &str = "DELETE FROM families WHERE id = ?1";
const ACCESS_TOKEN: &str =
    concat!("SELECT ", access_token_columns!(), " FROM access_tokens WHERE token = ?1 AND expires_at > ?2");
const REVOKE_ACCESS_TOKEN: &str = "DELETE FROM access_tokens WHERE token = ?1";
const SWEEP_ANSWERS: &str = "DELETE FROM refresh_answers WHERE spent IN \
    (SELECT spent FROM refresh_answers WHERE kept_until <= ?1 ORDER BY kept_until LIMIT ?2)";
/// What belongs to a family before the family, so that little is left that goes with it.
const SWEEPS: [&str; 3] = [
    "DELETE FROM codes WHERE code IN (SELECT code FROM codes WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    "DELETE FROM access_tokens WHERE token IN \
     (SELECT token FROM access_tokens WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    "DELETE FROM families WHERE id IN (SELECT id FROM families WHERE over_at < ?1 ORDER BY over_at LIMIT ?2)",
];

#[async_trait]
impl Families for Sqlite {
    async fn add_code(&self, code: &TokenHash, record: &Code) -> Result<bool> {
        let values = families::code_values(code, record)?;
        let used = [Value::word(record.grant), record.issued_at.into()];
        self.writer
            .write(&[], move |database| {
                let is_standing = execute(database, USE_GRANT, &used)? > 0;
                if is_standing {
                    execute(database, ADD_CODE, &values)?;
                }
                Ok(is_standing)
            })
            .await
    }

    async fn code(&self, code: &TokenHash) -> Result<Option<Code>> {
        self.readers.read(|database| find(database, CODE, &[Value::hash(code)], families::code))
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
        self.writer
            .write(&[], move |database| {
                if execute(database, REDEEM, &values)? == 0 {
                    let code = find(database, CODE, &values[..1], families::code)?;
                    return Ok(Redeemed::too_late(code));
                }
                execute(database, USE_GRANT, &values[2..])?;
                execute(database, ADD_FAMILY, &family)?;
                execute(database, ADD_ACCESS_TOKEN, &access_values)?;
                Ok(Redeemed::Done)
            })
            .await
    }

    async fn of_handle(&self, handle: &TokenHash) -> Result<Option<Family>> {
        self.readers.read(|database| find(database, OF_HANDLE, &[Value::hash(handle)], families::family))
    }

    async fn rotate(&self, rotation: &Rotation, now: Timestamp) -> Result<bool> {
        let values = families::rotation_values(rotation, now);
        let access =
            families::access_token_values(&rotation.access_token, Some(&rotation.family), &rotation.access)?;
        self.writer
            .write(&[], move |database| {
                let rotated = execute(database, ROTATE, &values[..6])? > 0;
                if rotated {
                    execute(database, KEEP_ANSWER, &values)?;
                    execute(database, ADD_ACCESS_TOKEN, &access)?;
                    execute(database, USE_GRANT_OF, [&values[0], &values[5]])?;
                }
                Ok(rotated)
            })
            .await
    }

    async fn kept_answer(&self, spent: &TokenHash, now: Timestamp) -> Result<Option<Vec<u8>>> {
        let values = [Value::hash(spent), now.into()];
        self.readers.read(|database| find(database, KEPT_ANSWER, &values, families::answer))
    }

    async fn revoke(&self, family: &FamilyId) -> Result<bool> {
        let values = [Value::word(family)];
        self.writer.write(&[], move |database| Ok(execute(database, REVOKE, &values)? > 0)).await
    }

    async fn add_access_token(&self, token: &TokenHash, access: &AccessToken) -> Result<()> {
        let values = families::access_token_values(token, None, access)?;
        self.writer.write(&[], move |database| execute(database, ADD_ACCESS_TOKEN, &values).map(drop)).await
    }

    async fn access_token(&self, token: &TokenHash, now: Timestamp) -> Result<Option<AccessToken>> {
        let values = [Value::hash(token), now.into()];
        self.readers.read(|database| find(database, ACCESS_TOKEN, &values, families::access_token))
    }

    async fn revoke_access_token(&self, token: &TokenHash) -> Result<bool> {
        let values = [Value::hash(token)];
        self.writer.write(&[], move |database| Ok(execute(database, REVOKE_ACCESS_TOKEN, &values)? > 0)).await
    }

    async fn sweep_answers(&self, now: Timestamp, limit: u32) -> Result<u64> {
        let values = [now.into(), i64::from(limit).into()];
        self.writer.write(&[], move |database| Ok(execute(database, SWEEP_ANSWERS, &values)? as u64)).await
    }

    async fn sweep(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let values = [before.into(), i64::from(limit).into()];
        self.writer
            .write(&[], move |database| {
                let mut swept = 0;
                for sweep in SWEEPS {
                    swept += execute(database, sweep, &values)?;
                }
                Ok(swept as u64)
            })
            .await
    }
}
