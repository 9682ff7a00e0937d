//! The schema: which version it has, and how it gets this binary's.

use std::error::Error as _;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::address::Address;
use crate::open::{Migrate, Migrated, Options};
use crate::{Error, Result};

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// The advisory lock of whoever migrates: "claviger" in ASCII.
const LOCK: i64 = 0x636c_6176_6967_6572;

fn known() -> i64 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// Migrates, whatever the options say.
pub(crate) async fn migrate(url: &str) -> Result<Migrated> {
    migrate_at(&Address::parse(url)?).await
}

/// Checks the schema's version as the application's own role sees it, and migrates if need be and allowed.
pub(super) async fn bring_up_to_date(address: &Address, options: &Options) -> Result<()> {
    let found = version(&connect(address).await?).await?;
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
        Some(url) => migrate(url).await.map(drop),
        None => migrate_at(address).await.map(drop),
    }
}

async fn migrate_at(address: &Address) -> Result<Migrated> {
    let known = known();
    let mut client = connect(address).await?;
    // Held until the connection ends. Another process's migration may take longer than a statement usually may.
    client.batch_execute("SET statement_timeout = 0").await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    let found = version(&client).await?;
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    if found == known {
        return Ok(Migrated { applied: 0, version: known });
    }
    let runner = embedded::migrations::runner().set_grouped(true);
    match runner.run_async(&mut client).await {
        Ok(report) => Ok(Migrated { applied: report.applied_migrations().len(), version: known }),
        Err(error) if lacks_privilege(&error) => Err(Error::NotMigrated { found, known }),
        Err(error) => Err(Error::Migration(error.into())),
    }
}

/// Whether the role may not change the schema.
fn lacks_privilege(error: &refinery::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(said) = error.downcast_ref::<tokio_postgres::Error>() {
            return said.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        }
        cause = error.source();
    }
    false
}

async fn connect(address: &Address) -> Result<Client> {
    let (client, connection) = address.config.connect(address.tls.clone()).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "store.connection_lost");
        }
    });
    Ok(client)
}

/// The schema's version; 0 when there is none.
async fn version(client: &Client) -> Result<i64> {
    let exists = client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await?;
    if !exists.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version =
        client.query_one("SELECT CAST(max(version) AS BIGINT) FROM refinery_schema_history", &[]).await?;
    Ok(version.try_get::<_, Option<i64>>(0)?.unwrap_or(0))
}
