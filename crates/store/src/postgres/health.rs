//! A look at the server, the connection and what our role may do there.

use tokio_postgres::Client;

use super::address::{Address, is_this_machine};
use super::schema;
use crate::health::{EngineHealth, Health, PostgresHealth};
use crate::open::Options;
use crate::rows::keyring_columns;
use crate::{Result, rows};

/// Our tables but for the audit trail, which is only appended to, and the schema's history, which is only read.
const TABLES: [&str; 32] = [
    "access_tokens",
    "api_keys",
    "applications",
    "assertions",
    "attempts",
    "authorizations",
    "codes",
    "connections",
    "credentials",
    "drills",
    "families",
    "grants",
    "integrations",
    "keyring",
    "limits",
    "mails",
    "memberships",
    "portal_browsers",
    "portal_sessions",
    "pushed_requests",
    "refresh_answers",
    "refresh_hold",
    "refresh_journal",
    "revocations",
    "sign_ins",
    "signing_keys",
    "stripe_accounts",
    "stripe_attempts",
    "stripe_events",
    "subjects",
    "teams",
    "users",
];

const AUDIT: &str = "audit";

const HISTORY: &str = "refinery_schema_history";

/// About the server and this connection.
const SERVER: &str = "SELECT current_setting('server_version_num')::bigint, \
     coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), \
     current_setting('transaction_read_only') = 'on', \
     (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace(current_schema()) AND relkind = 'r'), \
     current_schema() IS NULL";

/// About our role. What is free is what both the server and the role leave; our own connection counts as free.
const ROLE: &str = "SELECT rolname::text, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, \
     coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) OR EXISTS (SELECT FROM pg_class \
        WHERE relname = ANY ($1) AND relnamespace = to_regnamespace(current_schema()) \
        AND pg_has_role(relowner, 'USAGE')), \
     least(current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint \
        - coalesce(current_setting('reserved_connections', true), '0')::bigint \
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
        CASE WHEN rolconnlimit < 0 THEN NULL ELSE rolconnlimit - (SELECT count(*) FROM pg_stat_activity \
        WHERE usename = rolname AND backend_type = 'client backend') END) + 1 \
     FROM pg_roles WHERE rolname = current_user";

/// Which of these privileges ($2) the role has on which of these tables ($1).
const PRIVILEGES: &str = "SELECT relname::text, privilege, has_table_privilege(pg_class.oid, privilege) \
     FROM pg_class CROSS JOIN unnest($2::text[]) AS privilege \
     WHERE relname = ANY ($1) AND relnamespace = to_regnamespace(current_schema()) AND relkind = 'r' \
     ORDER BY relname, privilege";

/// Columns that every schema has: one that is older than ours is looked at too.
const KEYS: &str = concat!("SELECT ", keyring_columns!(), " FROM keyring ORDER BY version");

pub(crate) async fn look(url: &str, options: &Options) -> Result<Health> {
    let address = Address::parse(url)?;
    schema::answered(look_at(&address, options)).await
}

async fn look_at(address: &Address, options: &Options) -> Result<Health> {
    let client = schema::connect(address).await?;
    let version = schema::version(&client).await.map_err(|error| schema::may_not_use(address, error))?;
    let server = client.query_one(SERVER, &[]).await?;
    let all: Vec<&str> = TABLES.into_iter().chain([AUDIT, HISTORY]).collect();
    let role = client.query_one(ROLE, &[&all]).await?;
    let mut lacking = privileges(&client, &TABLES, &["SELECT", "INSERT", "UPDATE", "DELETE"], false).await?;
    lacking.extend(privileges(&client, &[AUDIT], &["SELECT", "INSERT"], false).await?);
    lacking.extend(privileges(&client, &[HISTORY], &["SELECT"], false).await?);
    let rewrites = privileges(&client, &[AUDIT], &["UPDATE", "DELETE", "TRUNCATE"], true).await?;
    let keyring = if version > 0 && !lacking.iter().any(|(name, what)| name == "keyring" && what == "SELECT")
    {
        client.query(KEYS, &[]).await?.iter().map(|row| rows::wrapped_key(row)).collect::<Result<_>>()?
    } else {
        Vec::new()
    };
    // Without it the server shows no schema at all, and so none of its tables.
    let usage = server.try_get::<_, bool>(4)?.then(|| "USAGE ON SCHEMA public".to_owned());
    let lacking = lacking.into_iter().map(|(table, what)| format!("{what} ON {table}"));
    let attributes = [(2, "CREATEROLE"), (3, "CREATEDB"), (4, "REPLICATION"), (5, "BYPASSRLS")];
    let attributes = attributes.into_iter().filter_map(|(column, name)| match role.try_get(column) {
        Ok(true) => Some(Ok(name.to_owned())),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    });
    Ok(Health {
        schema: version,
        known: schema::known(),
        foreign: version == 0 && server.try_get::<_, i64>(3)? > 0,
        read_only: server.try_get::<_, bool>(2)?.then(|| "the server takes no writes".to_owned()),
        keyring,
        engine: EngineHealth::Postgres(PostgresHealth {
            server_version: server.try_get(0)?,
            tls: server.try_get(1)?,
            is_this_machine: is_this_machine(&address.config),
            role: role.try_get(0)?,
            superuser: role.try_get(1)?,
            attributes: attributes.collect::<std::result::Result<_, _>>()?,
            may_change_schema: role.try_get(6)?,
            lacking: usage.into_iter().chain(lacking).collect(),
            audit_rewrites: rewrites.into_iter().map(|(_, what)| what).collect(),
            connections_free: role.try_get(7)?,
            connections_wanted: options.connections() + 1,
        }),
    })
}

/// Which of these privileges the role has, or has not, on these tables.
async fn privileges(
    client: &Client,
    tables: &[&str],
    privileges: &[&str],
    has: bool,
) -> Result<Vec<(String, String)>> {
    let rows = client.query(PRIVILEGES, &[&tables, &privileges]).await?;
    let mut found = Vec::new();
    for row in rows {
        if row.try_get::<_, bool>(2)? == has {
            found.push((row.try_get(0)?, row.try_get(1)?));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fresh_postgres;

    #[tokio::test]
    async fn every_table_is_looked_at() {
        let Some(url) = fresh_postgres().await else { return };
        schema::migrate(&url).await.unwrap();
        let client = schema::connect(&Address::parse(&url).unwrap()).await.unwrap();
        let sql = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let mut found: Vec<String> =
            client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        found.sort();
        let mut known: Vec<&str> = TABLES.into_iter().chain([AUDIT, HISTORY]).collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }
}
