use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{Account, CredentialId};

use super::connections::{ADD_CREDENTIAL, erase};
use super::{ANSWER_TIMEOUT, Postgres, settle};
use crate::credentials::{Credential, Credentials};
use crate::rows::credential_columns;
use crate::value::{self, Value};
use crate::{Result, rows};

const GET: &str = concat!("SELECT ", credential_columns!(), " FROM credentials WHERE id = $1");
const PARTS: &str =
    concat!("SELECT ", credential_columns!(), " FROM credentials WHERE parent = $1 ORDER BY part");
const MAY_SHARE_GRANT: &str = "SELECT id FROM credentials WHERE client_id = $1 AND id <> $3 AND parent IS NULL \
    AND ($2::text IS NULL OR account_id IS NULL OR account_id = $2) LIMIT 1";
const SET_ACCOUNT: &str = "UPDATE credentials SET account = $2, account_id = $3 WHERE id = $1";

#[async_trait]
impl Credentials for Postgres {
    async fn get(&self, id: &CredentialId) -> Result<Option<Credential>> {
        self.find(GET, &[Value::word(id)], rows::credential).await
    }

    async fn parts(&self, of: &CredentialId) -> Result<Vec<Credential>> {
        self.all(PARTS, &[Value::word(of)], rows::credential).await
    }

    async fn add_part(&self, part: &Credential) -> Result<()> {
        let values = value::credential(part, part.tokens.obtained_at)?;
        self.execute(ADD_CREDENTIAL, &values).await.map(drop)
    }

    async fn erase(&self, id: &CredentialId) -> Result<bool> {
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, erase_alone(&mut client, id)).await;
        settle(client, answer)
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
        let found = self.find(MAY_SHARE_GRANT, &values, rows::credential_id).await?;
        Ok(found.is_some())
    }

    async fn set_account(&self, id: &CredentialId, account: &Account) -> Result<()> {
        let values = [
            Value::word(id),
            Value::json("credentials.account", account)?,
            value::account_id(Some(account))?,
        ];
        self.execute(SET_ACCOUNT, &values).await.map(drop)
    }
}

async fn erase_alone(client: &mut Object, id: &CredentialId) -> Result<bool> {
    let transaction = client.transaction().await?;
    let erased = erase(&transaction, Some(id.to_string())).await?;
    transaction.commit().await?;
    Ok(erased)
}
