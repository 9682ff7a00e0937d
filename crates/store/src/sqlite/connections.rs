use std::sync::Arc;

use async_trait::async_trait;
use model::{CredentialId, Timestamp};
use rusqlite::{Connection as Database, params};
use serde_json::{Map, Value as Json};

use super::{Sqlite, all, execute, find};
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
    ", updated_at, account_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
     ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28) \
     ON CONFLICT DO NOTHING"
);
const BEFORE: &str = "SELECT id, credential, metadata, generation FROM connections \
    WHERE subject = ?1 AND integration = ?2 AND label = ?3";
const WRITE: &str = "INSERT INTO connections (subject, integration, label, id, credential, generation, metadata, \
    requested_scopes, connected_at, connected_by, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?8) \
    ON CONFLICT (subject, integration, label) DO UPDATE SET credential = excluded.credential, \
    generation = connections.generation + 1, metadata = excluded.metadata, \
    requested_scopes = excluded.requested_scopes, connected_at = excluded.connected_at, \
    connected_by = excluded.connected_by, updated_at = excluded.updated_at, disconnected_at = NULL, \
    disconnected_by = NULL";
pub(super) const ERASE: &str = "DELETE FROM credentials WHERE id = ?1 \
    AND NOT EXISTS (SELECT 1 FROM connections WHERE credential = ?1)";
/// A drill gives the token back that it has set aside.
const MOVE: &str = concat!(
    "INSERT INTO revocations (",
    revocation_columns!(),
    ") SELECT ?1, id, subject, integration, provider, client_id, ?3, ?4, account, access_token, \
     COALESCE((SELECT d.refresh_token FROM drills d WHERE d.credential = ?2), refresh_token), 1, ?5, ?6, NULL \
     FROM credentials WHERE id = ?2 AND (access_token IS NOT NULL OR refresh_token IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM connections WHERE credential = ?2)"
);
const MOVED: &str = concat!("SELECT ", revocation_columns!(), " FROM revocations WHERE id = ?1");
const GET: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM connections c LEFT JOIN credentials k ON k.id = c.credential \
     WHERE c.subject = ?1 AND c.integration = ?2 AND c.label = ?3"
);
const STANDING: &str = concat!(
    "SELECT ",
    standing_columns!(),
    " FROM connections c JOIN credentials k ON k.id = c.credential \
     WHERE c.subject = ?1 AND c.integration = ?2 AND c.label = ?3"
);
const STANDING_OF: &str = concat!(
    "SELECT ",
    standing_columns!(),
    " FROM connections c JOIN credentials k ON k.parent = c.credential AND k.part = ?4 \
     WHERE c.subject = ?1 AND c.integration = ?2 AND c.label = ?3"
);
const SET_METADATA: &str = "UPDATE connections SET metadata = ?4, generation = generation + 1, updated_at = ?5 \
    WHERE subject = ?1 AND integration = ?2 AND label = ?3";
const DISCONNECT: &str = "UPDATE connections SET credential = NULL, generation = generation + 1, \
    disconnected_at = ?4, disconnected_by = ?5, updated_at = ?4 \
    WHERE subject = ?1 AND integration = ?2 AND label = ?3";

const MOVE_TO: &str = "UPDATE connections SET credential = ?5, generation = generation + 1, updated_at = ?6 \
    WHERE subject = ?1 AND integration = ?2 AND label = ?3 AND credential = ?4 \
    AND EXISTS (SELECT 1 FROM credentials WHERE id = ?5)";
const OF_ACCOUNT: &str = concat!(
    "SELECT ",
    connection_columns!(),
    " FROM credentials k JOIN connections c ON c.credential = k.id \
     WHERE k.client_id = ?1 AND k.account_id = ?2 ORDER BY k.id, c.id LIMIT ?3"
);

/// One statement for each leading filter, so that each finds its index.
macro_rules! list {
    ($filter:literal) => {
        concat!(
            "SELECT ",
            connection_columns!(),
            " FROM connections c LEFT JOIN credentials k ON k.id = c.credential WHERE ",
            $filter,
            " AND (?3 IS NULL OR ?3 = CASE WHEN c.credential IS NULL THEN 'disconnected' \
             WHEN k.broken_at IS NOT NULL THEN 'broken' ELSE 'active' END) \
             AND c.id > ?4 ORDER BY c.id LIMIT ?5"
        )
    };
}
const LIST: &str = list!("?1 IS NULL AND ?2 IS NULL");
const LIST_AT: &str = list!("?1 IS NULL AND c.integration = ?2");
const LIST_OF: &str = list!("c.subject = ?1 AND (?2 IS NULL OR c.integration = ?2)");

#[async_trait]
impl Connections for Sqlite {
    async fn connect(&self, new: &NewConnection) -> Result<Connected> {
        let credentials = [&new.credential].into_iter().chain(&new.parts);
        let credentials: Vec<_> =
            credentials.map(|credential| value::credential(credential, new.at)).collect::<Result<_>>()?;
        let key = value::key(&new.key);
        let id = new.id;
        let patch = new.metadata.clone();
        let credential_id = Value::word(new.credential.id);
        let requested = Value::json("connections.requested_scopes", &new.requested_scopes)?;
        let (at, by) = (new.at.into(), Value::text("connections.connected_by", &new.by)?);
        let connect = move |database: &Database| {
            for credential in &credentials {
                execute(database, ADD_CREDENTIAL, credential)?;
            }
            let before = find(database, BEFORE, &key, rows::before)?;
            let (id, created) = before.as_ref().map_or((id, true), |before| (before.id, false));
            let (mut metadata, old) =
                before.map_or((Map::new(), None), |before| (before.metadata, before.credential));
            rows::merge(&mut metadata, &patch);
            let metadata = Value::json("connections.metadata", &metadata)?;
            let rest = [Value::word(id), credential_id, metadata, requested, at, by];
            execute(database, WRITE, key.iter().chain(&rest))?;
            erase(database, old)?;
            Ok(Connected { id, created })
        };
        self.writer.write(&[Thing::connection(&new.key)], connect).await
    }

    async fn get(&self, key: &ConnectionKey) -> Result<Option<Connection>> {
        self.readers.read(|database| find(database, GET, &value::key(key), rows::connection))
    }

    async fn standing(&self, key: &ConnectionKey) -> Result<Option<Arc<Standing>>> {
        self.standings.read(key, async { self.load_standing(key) }).await
    }

    async fn standing_of(&self, key: &ConnectionKey, part: &str) -> Result<Option<Arc<Standing>>> {
        let part = Value::text("credentials.part", part)?;
        let values: Vec<_> = value::key(key).into_iter().chain([part]).collect();
        let standing = self.readers.read(|database| find(database, STANDING_OF, &values, rows::standing))?;
        Ok(standing.map(Arc::new))
    }

    fn forget(&self, _: &ConnectionKey) {
        // What another process has written is seen at the next read anyway.
    }

    async fn list(&self, filter: &Filter, cursor: Option<Cursor>, limit: u32) -> Result<Vec<Connection>> {
        let sql = match (&filter.subject, &filter.integration) {
            (Some(_), _) => LIST_OF,
            (None, Some(_)) => LIST_AT,
            (None, None) => LIST,
        };
        let values = value::list(filter, cursor, limit);
        self.scan(move |database| all(database, sql, &values, rows::connection)).await
    }

    async fn merge_metadata(
        &self,
        key: &ConnectionKey,
        patch: &Map<String, Json>,
        generation: Option<i64>,
        at: Timestamp,
    ) -> Result<MetadataWrite> {
        let (key, patch) = (value::key(key), patch.clone());
        // The hot path hands out no metadata, so nothing in memory changes.
        self.writer
            .write(&[], move |database| {
                let Some(before) = find(database, BEFORE, &key, rows::before)? else {
                    return Ok(MetadataWrite::NotFound);
                };
                if generation.is_some_and(|generation| generation != before.generation) {
                    return Ok(MetadataWrite::Conflict { generation: before.generation });
                }
                let mut metadata = before.metadata;
                rows::merge(&mut metadata, &patch);
                let rest = [Value::json("connections.metadata", &metadata)?, at.into()];
                execute(database, SET_METADATA, key.iter().chain(&rest))?;
                let now = find(database, GET, &key, rows::connection)?;
                Ok(now.map_or(MetadataWrite::NotFound, |now| MetadataWrite::Merged(Box::new(now))))
            })
            .await
    }

    async fn move_to(
        &self,
        key: &ConnectionKey,
        from: &CredentialId,
        to: &CredentialId,
        at: Timestamp,
    ) -> Result<bool> {
        let from = Value::word(from);
        let rest = [from.clone(), Value::word(to), at.into()];
        let values: Vec<_> = value::key(key).into_iter().chain(rest).collect();
        let move_to = move |database: &Database| {
            let moved = execute(database, MOVE_TO, &values)? > 0;
            execute(database, ERASE, &[from])?;
            Ok(moved)
        };
        self.writer.write(&[Thing::connection(key)], move_to).await
    }

    async fn of_account(&self, client_id: &str, account_id: &str, limit: u32) -> Result<Vec<Connection>> {
        let values = [
            Value::text("credentials.client_id", client_id)?,
            Value::text("credentials.account_id", account_id)?,
            i64::from(limit).into(),
        ];
        self.readers.read(|database| all(database, OF_ACCOUNT, &values, rows::connection))
    }

    async fn disconnect(
        &self,
        key: &ConnectionKey,
        by: &str,
        at: Timestamp,
        revocation: Option<&NewRevocation>,
    ) -> Result<Disconnected> {
        let values = value::key(key);
        let rest = [at.into(), Value::text("connections.disconnected_by", by)?];
        let revocation = revocation.map(|new| value::new_revocation(new, key, at)).transpose()?;
        let disconnect = move |database: &Database| {
            let before = find(database, BEFORE, &values, rows::before)?;
            let Some(credential) = before.and_then(|before| before.credential) else {
                return Ok(Disconnected::NotConnected);
            };
            if revocation.as_ref().is_some_and(|new| !new[1].is_text(&credential)) {
                return Ok(Disconnected::Moved);
            }
            execute(database, DISCONNECT, values.iter().chain(&rest))?;
            let revoking = match &revocation {
                Some(new) if execute(database, MOVE, new)? > 0 => {
                    find(database, MOVED, &new[..1], rows::revocation)?
                }
                _ => None,
            };
            let is_erased = execute(database, ERASE, &[Value::Text(credential)])? > 0;
            let now = find(database, GET, &values, rows::connection)?;
            Ok(rows::disconnected(now, revoking, is_erased))
        };
        self.writer.write(&[Thing::connection(key)], disconnect).await
    }
}

impl Sqlite {
    fn load_standing(&self, key: &ConnectionKey) -> Result<Option<(Standing, [Thing; 2])>> {
        let standing = self.readers.read(|database| {
            let mut statement = database.prepare_cached(STANDING)?;
            // The hot path: the parameters are borrowed.
            let mut found = statement.query(params![
                key.subject.as_str(),
                key.integration.as_str(),
                key.label.as_str()
            ])?;
            found.next()?.map(|row| rows::standing(row)).transpose()
        })?;
        Ok(standing.map(|standing| {
            let things = [Thing::connection(key), Thing::credential(&standing.credential)];
            (standing, things)
        }))
    }
}

/// Deletes a credential unless a connection stands on it.
fn erase(database: &Database, credential: Option<String>) -> Result<()> {
    match credential {
        Some(credential) => execute(database, ERASE, &[Value::Text(credential)]).map(drop),
        None => Ok(()),
    }
}
