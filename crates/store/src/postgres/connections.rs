use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::Object;
use model::{CredentialId, Timestamp};
use serde_json::{Map, Value as Json};

use super::{ANSWER_TIMEOUT, Postgres, execute, find, settle};
use crate::cache::Thing;
use crate::connections::{
    Connected, Connection, ConnectionKey, Connections, Cursor, Disconnected, Filter, MetadataWrite,
    NewConnection, Standing,
};
use crate::revocations::NewRevocation;
use crate::rows::{connection_columns, credential_columns, revocation_columns, standing_columns};
use crate::value::{self, Value};
use crate::{Result, rows};

pub(super) const ADD_CREDENTIAL: &str = concat!(
    "INSERT INTO credentials (",
    credential_columns!(),
    ", updated_at, account_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
     $21, $22, $23, $24, $25, $26, $27, $28) \
     ON CONFLICT DO NOTHING"
);
const CREATE: &str = "INSERT INTO connections (subject, integration, label, id, credential, generation, metadata, \
    requested_scopes, connected_at, connected_by, updated_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $8) \
    ON CONFLICT (subject, integration, label) DO NOTHING";
const REVIVE: &str = "UPDATE connections SET credential = $4, generation = generation + 1, metadata = $5, \
    requested_scopes = $6, connected_at = $7, connected_by = $8, updated_at = $7, disconnected_at = NULL, \
    disconnected_by = NULL WHERE subject = $1 AND integration = $2 AND label = $3";
/// Locks the row, so that whoever else wants to write it waits and sees what we wrote.
const BEFORE: &str = "SELECT id, credential, metadata, generation FROM connections \
    WHERE subject = $1 AND integration = $2 AND label = $3 FOR UPDATE";
/// Locks the credential before [`ERASE`] asks who stands on it: of two connections that leave it at once, the second
/// sees that the first is gone.
const HOLD: &str = "SELECT 1 FROM credentials WHERE id = $1 FOR UPDATE";
const ERASE: &str = "DELETE FROM credentials WHERE id = $1 \
    AND NOT EXISTS (SELECT 1 FROM connections WHERE credential = $1)";
/// A drill gives the token back that it has set aside.
const MOVE: &str = concat!(
    "INSERT INTO revocations (",
    revocation_columns!(),
    ") SELECT $1, id, subject, integration, provider, client_id, $3, $4, account, access_token, \
     COALESCE((SELECT d.refresh_token FROM drills d WHERE d.credential = $2), refresh_token), 1, $5, $6, NULL \
     FROM credentials WHERE id = $2 AND (access_token IS NOT NULL OR refresh_token IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM connections WHERE credential = $2)"
);
const MOVED: &str = concat!("SELECT ", revocation_columns!(), " FROM revocations WHERE id = $1");
const TELL: &str = "SELECT pg_notify('claviger_changes', $1)";
const GET: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM connections c LEFT JOIN credentials k ON k.id = c.credential \
     WHERE c.subject = $1 AND c.integration = $2 AND c.label = $3"
);
const STANDING: &str = concat!(
    "SELECT ",
    standing_columns!(),
    " FROM connections c JOIN credentials k ON k.id = c.credential \
     WHERE c.subject = $1 AND c.integration = $2 AND c.label = $3"
);
const STANDING_OF: &str = concat!(
    "SELECT ",
    standing_columns!(),
    " FROM connections c JOIN credentials k ON k.parent = c.credential AND k.part = $4 \
     WHERE c.subject = $1 AND c.integration = $2 AND c.label = $3"
);
const SET_METADATA: &str = "UPDATE connections SET metadata = $4, generation = generation + 1, updated_at = $5 \
    WHERE subject = $1 AND integration = $2 AND label = $3";
const DISCONNECT: &str = "UPDATE connections SET credential = NULL, generation = generation + 1, \
    disconnected_at = $4, disconnected_by = $5, updated_at = $4 \
    WHERE subject = $1 AND integration = $2 AND label = $3";

const MOVE_TO: &str = "UPDATE connections SET credential = $5, generation = generation + 1, updated_at = $6 \
    WHERE subject = $1 AND integration = $2 AND label = $3 AND credential = $4 \
    AND EXISTS (SELECT 1 FROM credentials WHERE id = $5)";
const OF_ACCOUNT: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM credentials k JOIN connections c ON c.credential = k.id \
     WHERE k.client_id = $1 AND k.account_id = $2 ORDER BY k.id, c.id LIMIT $3"
);

/// One statement for each leading filter, so that each finds its index.
macro_rules! list {
    ($filter:literal) => {
        concat!(
            "SELECT ",
            connection_columns!(),
            " FROM connections c LEFT JOIN credentials k ON k.id = c.credential WHERE ",
            $filter,
            " AND ($3::text IS NULL OR $3 = CASE WHEN c.credential IS NULL THEN 'disconnected' \
             WHEN k.broken_at IS NOT NULL THEN 'broken' ELSE 'active' END) \
             AND c.id > $4 ORDER BY c.id LIMIT $5"
        )
    };
}
const LIST: &str = list!("$1::text IS NULL AND $2::text IS NULL");
const LIST_AT: &str = list!("$1::text IS NULL AND c.integration = $2");
const LIST_OF: &str = list!("c.subject = $1 AND ($2::text IS NULL OR c.integration = $2)");

#[async_trait]
impl Connections for Postgres {
    async fn connect(&self, new: &NewConnection) -> Result<Connected> {
        let thing = Thing::connection(&new.key);
        let mut client = self.client().await?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, connect(&mut client, new, thing)).await;
        self.epochs.changed(thing);
        settle(client, answer)
    }

    async fn get(&self, key: &ConnectionKey) -> Result<Option<Connection>> {
        self.find(GET, &value::key(key), rows::connection).await
    }

    async fn standing(&self, key: &ConnectionKey) -> Result<Option<Arc<Standing>>> {
        let load = async {
            let standing = self.find(STANDING, &value::key(key), rows::standing).await?;
            Ok(standing.map(|standing| {
                let things = [Thing::connection(key), Thing::credential(&standing.credential)];
                (standing, things)
            }))
        };
        self.standings.read(key, load).await
    }

    async fn standing_of(&self, key: &ConnectionKey, part: &str) -> Result<Option<Arc<Standing>>> {
        let part = Value::text("credentials.part", part)?;
        let values: Vec<_> = value::key(key).into_iter().chain([part]).collect();
        Ok(self.find(STANDING_OF, &values, rows::standing).await?.map(Arc::new))
    }

    fn forget(&self, key: &ConnectionKey) {
        self.epochs.changed(Thing::connection(key));
    }

    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: u32) -> Result<Vec<Connection>> {
        let sql = match (&filter.subject, &filter.integration) {
            (Some(_), _) => LIST_OF,
            (None, Some(_)) => LIST_AT,
            (None, None) => LIST,
        };
        self.all(sql, &value::list(filter, cursor, limit), rows::connection).await
    }

    async fn merge_metadata(
        &self,
        key: &ConnectionKey,
        patch: &Map<String, Json>,
        generation: Option<i64>,
        at: Timestamp,
    ) -> Result<MetadataWrite> {
        let mut client = self.client().await?;
        // The hot path hands out no metadata, so nothing in memory changes.
        let merged = merge_metadata(&mut client, key, patch, generation, at);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, merged).await;
        settle(client, answer)
    }

    async fn move_to(
        &self,
        key: &ConnectionKey,
        from: &CredentialId,
        to: &CredentialId,
        at: Timestamp,
    ) -> Result<bool> {
        let thing = Thing::connection(key);
        let mut client = self.client().await?;
        let moved = move_to(&mut client, key, from, to, at);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, moved).await;
        self.epochs.changed(thing);
        settle(client, answer)
    }

    async fn of_account(&self, client_id: &str, account_id: &str, limit: u32) -> Result<Vec<Connection>> {
        let values = [
            Value::text("credentials.client_id", client_id)?,
            Value::text("credentials.account_id", account_id)?,
            i64::from(limit).into(),
        ];
        self.all(OF_ACCOUNT, &values, rows::connection).await
    }

    async fn disconnect(
        &self,
        key: &ConnectionKey,
        by: &str,
        at: Timestamp,
        revocation: Option<&NewRevocation>,
    ) -> Result<Disconnected> {
        let thing = Thing::connection(key);
        let mut client = self.client().await?;
        let done = disconnect(&mut client, key, by, at, revocation);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, done).await;
        self.epochs.changed(thing);
        settle(client, answer)
    }
}

async fn connect(client: &mut Object, new: &NewConnection, thing: Thing) -> Result<Connected> {
    let key = value::key(&new.key);
    let transaction = client.transaction().await?;
    for credential in [&new.credential].into_iter().chain(&new.parts) {
        execute(&transaction, ADD_CREDENTIAL, &value::credential(credential, new.at)?).await?;
    }
    let values = |metadata: &Map<String, Json>| -> Result<_> {
        Ok([
            Value::word(new.credential.id),
            Value::json("connections.metadata", metadata)?,
            Value::json("connections.requested_scopes", &new.requested_scopes)?,
            new.at.into(),
            Value::text("connections.connected_by", &new.by)?,
        ])
    };
    let mut metadata = Map::new();
    rows::merge(&mut metadata, &new.metadata);
    let create = key.iter().cloned().chain([Value::word(new.id)]).chain(values(&metadata)?);
    let created = execute(&transaction, CREATE, &create.collect::<Vec<_>>()).await? > 0;
    let mut id = new.id;
    if !created && let Some(before) = find(&transaction, BEFORE, &key, rows::before).await? {
        let mut metadata = before.metadata;
        rows::merge(&mut metadata, &new.metadata);
        let revive = key.iter().cloned().chain(values(&metadata)?);
        execute(&transaction, REVIVE, &revive.collect::<Vec<_>>()).await?;
        erase(&transaction, before.credential).await?;
        id = before.id;
    }
    execute(&transaction, TELL, &[Value::Text(thing.to_notice())]).await?;
    transaction.commit().await?;
    Ok(Connected { id, created })
}

async fn move_to(
    client: &mut Object,
    key: &ConnectionKey,
    from: &CredentialId,
    to: &CredentialId,
    at: Timestamp,
) -> Result<bool> {
    let transaction = client.transaction().await?;
    let rest = [Value::word(from), Value::word(to), at.into()];
    let values: Vec<_> = value::key(key).into_iter().chain(rest).collect();
    let moved = execute(&transaction, MOVE_TO, &values).await? > 0;
    erase(&transaction, Some(from.to_string())).await?;
    execute(&transaction, TELL, &[Value::Text(Thing::connection(key).to_notice())]).await?;
    transaction.commit().await?;
    Ok(moved)
}

async fn merge_metadata(
    client: &mut Object,
    key: &ConnectionKey,
    patch: &Map<String, Json>,
    generation: Option<i64>,
    at: Timestamp,
) -> Result<MetadataWrite> {
    let key = value::key(key);
    let transaction = client.transaction().await?;
    let Some(before) = find(&transaction, BEFORE, &key, rows::before).await? else {
        return Ok(MetadataWrite::NotFound);
    };
    if generation.is_some_and(|generation| generation != before.generation) {
        return Ok(MetadataWrite::Conflict { generation: before.generation });
    }
    let mut metadata = before.metadata;
    rows::merge(&mut metadata, patch);
    let rest = [Value::json("connections.metadata", &metadata)?, at.into()];
    let values: Vec<_> = key.iter().cloned().chain(rest).collect();
    execute(&transaction, SET_METADATA, &values).await?;
    let now = find(&transaction, GET, &key, rows::connection).await?;
    transaction.commit().await?;
    Ok(now.map_or(MetadataWrite::NotFound, |now| MetadataWrite::Merged(Box::new(now))))
}

async fn disconnect(
    client: &mut Object,
    key: &ConnectionKey,
    by: &str,
    at: Timestamp,
    revocation: Option<&NewRevocation>,
) -> Result<Disconnected> {
    let notice = Thing::connection(key).to_notice();
    let new = revocation.map(|new| value::new_revocation(new, key, at)).transpose()?;
    let key = value::key(key);
    let transaction = client.transaction().await?;
    let before = find(&transaction, BEFORE, &key, rows::before).await?;
    let Some(credential) = before.and_then(|before| before.credential) else {
        return Ok(Disconnected::NotConnected);
    };
    if new.as_ref().is_some_and(|new| !new[1].is_text(&credential)) {
        return Ok(Disconnected::Moved);
    }
    let rest = [at.into(), Value::text("connections.disconnected_by", by)?];
    let values: Vec<_> = key.iter().cloned().chain(rest).collect();
    execute(&transaction, DISCONNECT, &values).await?;
    let credential = [Value::Text(credential)];
    execute(&transaction, HOLD, &credential).await?;
    let revoking = match &new {
        Some(new) if execute(&transaction, MOVE, new).await? > 0 => {
            find(&transaction, MOVED, &new[..1], rows::revocation).await?
        }
        _ => None,
    };
    let is_erased = execute(&transaction, ERASE, &credential).await? > 0;
    let now = find(&transaction, GET, &key, rows::connection).await?;
    execute(&transaction, TELL, &[Value::Text(notice)]).await?;
    transaction.commit().await?;
    Ok(rows::disconnected(now, revoking, is_erased))
}

/// Deletes a credential unless a connection stands on it; tells whether it did.
pub(super) async fn erase(
    transaction: &deadpool_postgres::Transaction<'_>,
    credential: Option<String>,
) -> Result<bool> {
    if let Some(credential) = credential {
        let credential = [Value::Text(credential)];
        execute(transaction, HOLD, &credential).await?;
        return Ok(execute(transaction, ERASE, &credential).await? > 0);
    }
    Ok(false)
}
