//! The schema: which version it has, and how it gets this binary's.

use std::error::Error as StdError;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::address::Address;
use super::{ANSWER_TIMEOUT, Said};
use crate::open::{Migrate, Migrated, Options};
use crate::{Error, Result};

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// The advisory lock of whoever migrates: "claviger" in ASCII.
const LOCK: i64 = 0x636c_6176_6967_6572;

/// How long we wait for another process's migration.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);

pub(super) fn known() -> i64 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// Migrates, whatever the options say.
pub(crate) async fn migrate(url: &str) -> Result<Migrated> {
    migrate_at(&Address::parse(url)?).await
}

/// Checks the schema's version as the application's own role sees it, and migrates if need be and allowed.
pub(super) async fn bring_up_to_date(address: &Address, options: &Options) -> Result<()> {
    let (client, found) = answered(async {
        let client = connect(address).await?;
        let found = version(&client).await.map_err(|error| may_not_use(address, error))?;
        Ok((client, found))
    })
    .await?;
    let known = known();
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    if found == known {
        return Ok(());
    }
    if options.migrate == Migrate::Never {
        return Err(Error::NotMigrated { found, known });
    }
    match &options.migrate_url {
        Some(url) => {
            migrate(url).await?;
            // The role that migrated can read it; whether ours can is another matter.
            answered(version(&client)).await.map(drop).map_err(|error| may_not_use(address, error))
        }
        None => migrate_at(address).await.map(drop),
    }
}

async fn migrate_at(address: &Address) -> Result<Migrated> {
    let known = known();
    let mut client = answered(connect(address)).await?;
    lock(&client, LOCK_TIMEOUT).await?;
    let found = answered(version(&client)).await.map_err(|error| may_not_migrate(address, error))?;
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    if found == known {
        return Ok(Migrated { applied: 0, version: known });
    }
    let runner = embedded::migrations::runner().set_grouped(true);
    match runner.run_async(&mut client).await {
        Ok(report) => Ok(Migrated { applied: report.applied_migrations().len(), version: known }),
        Err(error) => Err(may_not_migrate(address, Error::Migration(error.into()))),
    }
}

/// Takes the advisory lock, which is held until the connection ends.
async fn lock(client: &Client, limit: Duration) -> Result<()> {
    // Another process's migration, and ours, may take longer than a statement usually may.
    let limits = format!("SET statement_timeout = 0; SET lock_timeout = '{}ms'", limit.as_millis());
    let lock = async {
        client.batch_execute(&limits).await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await
    };
    // The server gives up first, so that nobody is left waiting there.
    let locked = tokio::time::timeout(limit + ANSWER_TIMEOUT, lock).await;
    match locked.map_err(|elapsed| Error::Unavailable(elapsed.into()))? {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Err(Error::Migration(
            format!(
                "another process has held the advisory lock {LOCK} for {} s, as if it migrated; wait for it, or end it: \
                 SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                 AND (classid::bigint << 32) + objid::bigint = {LOCK}",
                limit.as_secs()
            )
            .into(),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Waits no longer than for any other answer.
pub(super) async fn answered<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || Error::Unavailable(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()).into());
    tokio::time::timeout(ANSWER_TIMEOUT, answer).await.unwrap_or_else(|_| Err(late()))
}

/// Names the privileges that an application's role needs, if one is what it lacks.
pub(super) fn may_not_use(address: &Address, error: Error) -> Error {
    if !lacks_privilege(&error) {
        return error;
    }
    let role = role(address);
    Error::Privilege(format!(
        "{role} may not read the tables; run as their owner: GRANT USAGE ON SCHEMA public TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    ))
}

/// Names what lets the schema be changed, if a privilege is what the role lacks.
fn may_not_migrate(address: &Address, error: Error) -> Error {
    if !lacks_privilege(&error) {
        return error;
    }
    let role = role(address);
    Error::Privilege(format!(
        "{role} may not change the schema; set database.migrate_url to a role that may, or run: \
         GRANT USAGE, CREATE ON SCHEMA public TO {role} (tables that are there already belong to another role)"
    ))
}

/// The role's name as SQL has it.
fn role(address: &Address) -> String {
    format!("\"{}\"", address.config.get_user().unwrap_or_default().replace('"', "\"\""))
}

/// Whether the server refused because of a privilege, or showed no schema at all for want of one.
fn lacks_privilege(error: &Error) -> bool {
    let lacking = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::INVALID_SCHEMA_NAME];
    let mut cause = error.source();
    while let Some(error) = cause {
        let code = match (error.downcast_ref::<tokio_postgres::Error>(), error.downcast_ref::<Said>()) {
            (Some(error), _) => error.code().map(SqlState::code),
            (_, Some(said)) => Some(said.code.as_str()),
            _ => None,
        };
        if let Some(code) = code {
            return lacking.iter().any(|state| state.code() == code);
        }
        cause = error.source();
    }
    false
}

pub(super) async fn connect(address: &Address) -> Result<Client> {
    let (client, connection) = address.config.connect(address.tls.clone()).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "store.connection_lost");
        }
    });
    Ok(client)
}

/// The schema's version; 0 when there is none.
pub(super) async fn version(client: &Client) -> Result<i64> {
    let exists = client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await?;
    if !exists.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version =
        client.query_one("SELECT CAST(max(version) AS BIGINT) FROM refinery_schema_history", &[]).await?;
    Ok(version.try_get::<_, Option<i64>>(0)?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fresh_postgres;

    #[tokio::test]
    async fn a_lock_that_another_process_keeps_is_named() {
        let Some(url) = fresh_postgres().await else { return };
        let address = Address::parse(&url).unwrap();
        let (other, ours) = (connect(&address).await.unwrap(), connect(&address).await.unwrap());
        lock(&other, LOCK_TIMEOUT).await.unwrap();
        let error = lock(&ours, Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, Error::Migration(_)), "{error}");
        let mend = error.to_string();
        let mend = mend.split_once("SELECT").unwrap().1;
        let admin = connect(&address).await.unwrap();
        admin.batch_execute(&format!("SELECT{mend}")).await.unwrap();
        lock(&admin, LOCK_TIMEOUT).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_does_not_hold_up_the_start() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://anna@{}/claviger", silent.local_addr().unwrap());
        let error = answered(connect(&Address::parse(&url).unwrap())).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
    }
}
