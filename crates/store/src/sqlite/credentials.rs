use async_trait::async_trait;
use model::{Account, CredentialId};

use super::connections::{ADD_CREDENTIAL, ERASE};
use super::{Sqlite, all, execute, find};
use crate::credentials::{Credential, Credentials};
use crate::rows::credential_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const GET: &str = concat!("SELECT ", credential_columns!(), " FROM credentials WHERE id = ?1");
const PARTS: &str =
    concat!("SELECT ", credential_columns!(), " FROM credentials WHERE parent = ?1 ORDER BY part");
const MAY_SHARE_GRANT: &str = "SELECT id FROM credentials WHERE client_id = ?1 AND id <> ?3 AND parent IS NULL \
    AND (?2 IS NULL OR account_id IS NULL OR account_id = ?2) LIMIT 1";
const SET_ACCOUNT: &str = "UPDATE credentials SET account = ?2, account_id = ?3 WHERE id = ?1";

#[async_trait]
impl Credentials for Sqlite {
    async fn get(&self, id: &CredentialId) -> Result<Option<Credential>> {
        self.readers.read(|database| find(database, GET, &[Value::word(id)], rows::credential))
    }

    async fn parts(&self, of: &CredentialId) -> Result<Vec<Credential>> {
        self.readers.read(|database| all(database, PARTS, &[Value::word(of)], rows::credential))
    }

    async fn add_part(&self, part: &Credential) -> Result<()> {
        let values = value::credential(part, part.tokens.obtained_at)?;
        self.writer.write(&[], move |database| execute(database, ADD_CREDENTIAL, &values).map(drop)).await
    }

    async fn erase(&self, id: &CredentialId) -> Result<bool> {
        let values = [Value::word(id)];
        self.writer.write(&[], move |database| Ok(execute(database, ERASE, &values)? > 0)).await
    }

    async fn may_share_grant(
        &self,
        client_id: &str,
        account_id: Option<&str>,
        except: &CredentialId,
    ) -> Result<bool> {
        let values = [
            Value::text("credentials.client_id", client_id)?,
            value::optional_text("credentials.account_id", account_id)?,
            Value::word(except),
        ];
        let found =
            self.readers.read(|database| find(database, MAY_SHARE_GRANT, &values, rows::credential_id))?;
        Ok(found.is_some())
    }

    async fn set_account(&self, id: &CredentialId, account: &Account) -> Result<()> {
        let values = [
            Value::word(id),
            Value::json("credentials.account", account)?,
            value::account_id(Some(account))?,
        ];
        self.writer.write(&[], move |database| execute(database, SET_ACCOUNT, &values).map(drop)).await
    }
}
