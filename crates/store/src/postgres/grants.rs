use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{ClientId, GrantId, UserId};

use super::{ANSWER_TIMEOUT, Postgres, execute, find, query, settle};
use crate::grants::{Grant, Grants};
use crate::rows::grants::{self, grant_columns};
use crate::value::Value;
use crate::{Error, Result};

/// Whoever removes the application waits, or has done so: then it is for whoever agrees to find out.
const HOLD_APPLICATION: &str = "SELECT 1 FROM applications WHERE client_id = $1 FOR KEY SHARE";
/// Writes a row, or locks and answers the one that is there; [`WIDEN`] adds to that.
const AGREE: &str = concat!(
    "INSERT INTO grants (",
    grant_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
     ON CONFLICT (\"user\", client_id, team) DO UPDATE SET updated_at = excluded.updated_at RETURNING ",
    grant_columns!()
);
const WIDEN: &str = "UPDATE grants SET scopes = $2, resources = $3 WHERE id = $1";
const GET: &str = concat!("SELECT ", grant_columns!(), " FROM grants WHERE id = $1");
const BETWEEN: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants WHERE \"user\" = $1 AND client_id = $2 ORDER BY updated_at DESC, id"
);
const WITHDRAW: &str = concat!("DELETE FROM grants WHERE id = $1 RETURNING ", grant_columns!());

/// One statement for each way to ask, so that each finds its index.
macro_rules! list {
    ($filter:literal) => {
        concat!("SELECT ", grant_columns!(), " FROM grants WHERE ", $filter, "id > $1 ORDER BY id LIMIT $2")
    };
}
const LIST: &str = list!("");
const LIST_OF: &str = list!("\"user\" = $3 AND ");
const LIST_FOR: &str = list!("client_id = $3 AND ");
const LIST_BETWEEN: &str = list!("\"user\" = $3 AND client_id = $4 AND ");

#[async_trait]
impl Grants for Postgres {
    async fn agree(&self, grant: &Grant) -> Result<Grant> {
        let values = grants::grant_values(grant)?;
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, agree(&mut client, &values, grant)).await;
        settle(client, answer)
    }

    async fn get(&self, id: &GrantId) -> Result<Option<Grant>> {
        self.find(GET, &[Value::word(id)], grants::grant).await
    }

    async fn between(&self, user: &UserId, client_id: &ClientId) -> Result<Vec<Grant>> {
        self.all(BETWEEN, &[Value::word(user), Value::word(client_id)], grants::grant).await
    }

    async fn list(
        &self,
        user: Option<&UserId>,
        client_id: Option<&ClientId>,
        after: Option<&GrantId>,
        limit: u32,
    ) -> Result<Vec<Grant>> {
        let values = grants::list_values(user, client_id, after, limit);
        let statement = match (user, client_id) {
            (None, None) => LIST,
            (Some(_), None) => LIST_OF,
            (None, Some(_)) => LIST_FOR,
            (Some(_), Some(_)) => LIST_BETWEEN,
        };
        self.all(statement, &values, grants::grant).await
    }

    async fn withdraw(&self, id: &GrantId) -> Result<Option<Grant>> {
        self.find(WITHDRAW, &[Value::word(id)], grants::grant).await
    }
}

async fn agree(client: &mut Object, values: &[Value; 9], agreed: &Grant) -> Result<Grant> {
    let transaction = client.transaction().await?;
    query(&transaction, HOLD_APPLICATION, &[Value::word(&agreed.client_id)]).await?;
    let standing = find(&transaction, AGREE, values, grants::grant).await?.ok_or_else(Error::no_answer)?;
    let wider = standing.with(agreed);
    if wider != standing {
        execute(&transaction, WIDEN, &grants::widen_values(&wider)?).await?;
    }
    transaction.commit().await?;
    Ok(wider)
}
