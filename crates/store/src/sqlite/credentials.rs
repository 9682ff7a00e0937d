use async_trait::async_trait;
use model::{Account, CredentialId, ReconnectReason, Timestamp};

use super::{Sqlite, execute, find};
use crate::cache::Thing;
use crate::credentials::{Credential, Credentials, SealedTokens};
use crate::rows::credential_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const GET: &str = concat!("SELECT ", credential_columns!(), " FROM credentials WHERE id = ?1");
const REPLACE_TOKENS: &str = "UPDATE credentials SET access_token = ?3, \
    refresh_token = COALESCE(?4, refresh_token), extra = COALESCE(?5, extra), token_type = ?6, scopes = ?7, \
    expires_at = ?8, obtained_at = ?9, refreshed_at = ?9, updated_at = ?9, generation = generation + 1, \
    broken_at = NULL, broken_reason = NULL, last_error = NULL WHERE id = ?1 AND generation = ?2";
const MARK_BROKEN: &str = "UPDATE credentials SET broken_at = ?3, broken_reason = ?4, updated_at = ?3 \
    WHERE id = ?1 AND generation = ?2";
const SET_ACCOUNT: &str = "UPDATE credentials SET account = ?2 WHERE id = ?1";
const NOTE_ERROR: &str = "UPDATE credentials SET last_error = ?3 WHERE id = ?1 AND generation = ?2";

#[async_trait]
impl Credentials for Sqlite {
    async fn get(&self, id: &CredentialId) -> Result<Option<Credential>> {
        self.readers.read(|database| find(database, GET, &[Value::word(id)], rows::credential))
    }

    async fn replace_tokens(
        &self,
        id: &CredentialId,
        generation: i64,
        tokens: &SealedTokens,
    ) -> Result<bool> {
        let seen = [Value::word(id), generation.into()];
        let values: Vec<_> = seen.into_iter().chain(value::tokens(tokens)?).collect();
        let replace = move |database: &_| Ok(execute(database, REPLACE_TOKENS, &values)? > 0);
        self.writer.write(&[Thing::credential(id)], replace).await
    }

    async fn mark_broken(
        &self,
        id: &CredentialId,
        generation: i64,
        reason: ReconnectReason,
        at: Timestamp,
    ) -> Result<bool> {
        let values = [Value::word(id), generation.into(), at.into(), Value::word(reason.word())];
        let mark = move |database: &_| Ok(execute(database, MARK_BROKEN, &values)? > 0);
        self.writer.write(&[Thing::credential(id)], mark).await
    }

    async fn set_account(&self, id: &CredentialId, account: &Account) -> Result<()> {
        let values = [Value::word(id), Value::json("credentials.account", account)?];
        self.writer.write(&[], move |database| execute(database, SET_ACCOUNT, &values).map(drop)).await
    }

    async fn note_error(&self, id: &CredentialId, generation: i64, error: &str) -> Result<()> {
        let values = [Value::word(id), generation.into(), Value::text("credentials.last_error", error)?];
        self.writer.write(&[], move |database| execute(database, NOTE_ERROR, &values).map(drop)).await
    }
}
