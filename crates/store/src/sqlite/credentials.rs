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

    async fn set_account(&self, id: &CredentialId, account: &Account) -> Result<()> {
        let values = [
            Value::word(id),
            Value::json("credentials.account", account)?,
            value::account_id(Some(account))?,
        ];
        self.writer.write(&[], move |database| execute(database, SET_ACCOUNT, &values).map(drop)).await
    }
}
