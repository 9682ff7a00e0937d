//! A database of the schema before, and a binary that still knows only that.

use data_encoding::HEXLOWER;
use refinery::Target;
use store::{Error, Migrate, Store};

use crate::behind;
use crate::world::{World, hash, key, options};

mod sqlite {
    refinery::embed_migrations!("migrations/sqlite");
}

mod postgres {
    refinery::embed_migrations!("migrations/postgres");
}

/// The schema before.
const BEFORE: i32 = 5;

/// Makes a database as the binary before has left it.
async fn migrate_to_before(url: &str) {
    let target = Target::Version(BEFORE);
    if let Some(path) = url.strip_prefix("sqlite:") {
        let mut database = rusqlite::Connection::open(path).unwrap();
        sqlite::migrations::runner().set_target(target).run(&mut database).unwrap();
    } else {
        let (mut client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        postgres::migrations::runner().set_target(target).run_async(&mut client).await.unwrap();
    }
}

/// Every table but that of the migrations, with its columns.
async fn tables(url: &str) -> Vec<(String, Vec<String>)> {
    let (tables, columns) = if url.starts_with("sqlite:") {
        (
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
             AND name <> 'refinery_schema_history' ORDER BY name",
            "SELECT name FROM pragma_table_info('{}') ORDER BY cid",
        )
    } else {
        (
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' \
             AND table_name <> 'refinery_schema_history' ORDER BY table_name",
            "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' \
             AND table_name = '{}' ORDER BY ordinal_position",
        )
    };
    let mut found = Vec::new();
    for table in behind::texts(url, tables).await {
        let columns = behind::texts(url, &columns.replace("{}", &table)).await;
        found.push((table, columns));
    }
    found
}

/// Every value of these tables' columns, a row a line.
async fn rows(url: &str, tables: &[(String, Vec<String>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (table, columns) in tables {
        let row = if url.starts_with("sqlite:") {
            let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
            quoted.join(" || ',' || ")
        } else {
            format!("ROW({})::text", columns.join(", "))
        };
        for row in behind::texts(url, &format!("SELECT {row} FROM {table} ORDER BY 1")).await {
            found.push(format!("{table}: {row}"));
        }
    }
    found
}

fn octets(url: &str, octets: &[u8]) -> String {
    let hex = HEXLOWER.encode(octets);
    if url.starts_with("sqlite:") { format!("X'{hex}'") } else { format!("'\\x{hex}'::bytea") }
}

/// Writes a row to every table with the statements of the binary before; the rows belong to this subject.
async fn write_as_before(url: &str, subject: &str, number: u8) {
    let hashed = |text: &str| octets(url, hash(&format!("{text} {number}")).as_bytes());
    let id = |prefix: &str| format!("'{prefix}_{number:032x}'");
    let sealed = octets(url, b"sealed");
    let (attempt, credential, part) = (id("att"), id("crd"), format!("'crd_f{number:031x}'"));
    let statements = [
        format!(
            "INSERT INTO subjects (id, name, mail, language, metadata, created_at, updated_at) \
             VALUES ('{subject}', 'Anna', 'a@example.com', 'et', '{{\"a\":[1]}}', 1, 2)"
        ),
        format!(
            "INSERT INTO integrations (id, subject, provider, client_id, client_secret, scopes, redirect_uri, updated_at) \
             VALUES ('github', '{subject}', 'github', 'our app', {sealed}, '[\"repo\"]', NULL, 3)"
        ),
        format!(
            "INSERT INTO attempts (id, subject, integration, label, provider, origin, return_to, binding, scopes, \
             client_id, redirect_uri, token_url, issuer, authorize_url, code_verifier, started_by, issued_at, \
             expires_at, consumed_at, binding_hash, members, ticket, state) VALUES ({attempt}, '{subject}', 'github', \
             'default', 'github', 'settings', NULL, 'cookie', '[\"repo\"]', 'our app', 'https://us.example/callback', \
             'https://provider.example/token', NULL, 'https://provider.example/authorize', {sealed}, 'operator', 1, \
             1900000000000, NULL, {}, '[]', NULL, {})",
            hashed("cookie"),
            hashed("state")
        ),
        format!(
            "INSERT INTO credentials (id, subject, integration, provider, client_id, token_url, generation, account, \
             access_token, refresh_token, extra, token_type, scopes, expires_at, obtained_at, refreshed_at, broken_at, \
             broken_reason, last_error, failures, due_at, used_at, grant_started_at, grant_ends_at, parent, part, \
             account_id, updated_at) VALUES ({credential}, '{subject}', 'github', 'github', 'our app', \
             'https://provider.example/token', 3, '{{\"id\":\"17\",\"name\":null}}', {sealed}, {sealed}, NULL, 'Bearer', \
             '[\"repo\"]', 9, 8, 7, NULL, NULL, 'http_500', 2, 6, 5, 4, 3, NULL, NULL, '17', 2)"
        ),
        format!(
            "INSERT INTO credentials (id, subject, integration, provider, client_id, token_url, generation, \
             access_token, token_type, scopes, obtained_at, parent, part, updated_at) VALUES ({part}, '{subject}', \
             'github', 'github', 'our app', 'https://provider.example/token', 1, {sealed}, 'Bearer', '[]', 8, \
             {credential}, 'user', 2)"
        ),
        format!(
            "INSERT INTO connections (subject, integration, label, id, credential, disconnected_at, disconnected_by, \
             generation, metadata, requested_scopes, connected_at, connected_by, updated_at) VALUES ('{subject}', \
             'github', 'default', {}, {credential}, NULL, NULL, 1, '{{}}', '[\"repo\"]', 1, 'operator', 1)",
            id("con")
        ),
        format!(
            "INSERT INTO api_keys (id, hash, name, scopes, created_at, revoked_at) \
             VALUES ({}, {}, 'backend', '[]', 1, NULL)",
            id("key"),
            hashed("key")
        ),
        format!(
            "INSERT INTO keyring (version, master_key_id, wrapped) VALUES ({number}, 'master', {sealed})"
        ),
        format!(
            "INSERT INTO audit (writer, sequence, at, event, previous, hash) VALUES ({}, 1, 5, '{{}}', {}, {})",
            id("wrt"),
            hashed("previous"),
            hashed("entry")
        ),
        format!(
            "INSERT INTO refresh_journal (credential, fence, generation, phase, silent, holder, started_at, answer) \
             VALUES ({credential}, 1, 3, 'called', 0, NULL, 9, NULL)"
        ),
        "INSERT INTO refresh_hold (id, since, reason, held_by) VALUES (1, 5, 'restore', 'operator') \
         ON CONFLICT (id) DO UPDATE SET since = excluded.since + 1"
            .to_owned(),
        format!(
            "INSERT INTO revocations (id, credential, subject, integration, provider, client_id, url, label, account, \
             access_token, refresh_token, attempts, due_at, created_at, last_error) VALUES ({}, {credential}, '{subject}', \
             'github', 'github', 'our app', 'https://provider.example/revoke', 'default', NULL, {sealed}, NULL, 1, 9, 8, \
             'http_500')",
            id("rev")
        ),
    ];
    behind::run(url, &statements.join(";\n")).await;
    write_portal_as_before(url, subject, number).await;
}

/// The same for the portal and Stripe.
async fn write_portal_as_before(url: &str, subject: &str, number: u8) {
    let hashed = |text: &str| octets(url, hash(&format!("{text} {number}")).as_bytes());
    let id = |prefix: &str| format!("'{prefix}_{number:032x}'");
    let (session, sealed) = (id("ps"), octets(url, b"sealed"));
    let statements = [
        format!(
            "INSERT INTO portal_sessions (id, link, subject, page, integrations, return_to, language, email, mail, \
             created_by, created_at, link_since, expires_at, opened_at, completed_at, withdrawn_at) VALUES ({session}, {}, \
             '{subject}', 'onboarding', NULL, NULL, 'et', {sealed}, NULL, 'operator', 1, 1, 1900000000000, NULL, NULL, NULL)",
            hashed("link")
        ),
        format!(
            "INSERT INTO portal_browsers (browser, session, expires_at) VALUES ({}, {session}, 1900000000000)",
            hashed("browser")
        ),
        format!(
            "INSERT INTO mails (id, session, subject, link_token, attempts, due_at, created_at, last_error) \
             VALUES ({}, {session}, '{subject}', {sealed}, 1, 9, 8, 'smtp_451')",
            id("mail")
        ),
        format!(
            "INSERT INTO stripe_accounts (subject, nonce, account, facts, created_at, checked_at, linked_at, linked_by, \
             deauthorized_at) VALUES ('{subject}', 'nonce', 'acct_{number}', NULL, 1, 2, 3, 'operator', NULL)"
        ),
        format!(
            "INSERT INTO stripe_attempts (id, state, session, subject, account, created_at, expires_at, consumed_at) \
             VALUES ({}, {}, {session}, '{subject}', 'acct_{number}', 1, 1900000000000, NULL)",
            id("sat"),
            hashed("stripe state")
        ),
        format!("INSERT INTO stripe_events (id, received_at) VALUES ('evt_{number}', 5)"),
    ];
    behind::run(url, &statements.join(";\n")).await;
}

pub(crate) async fn an_upgrade_from_the_schema_before_keeps_every_row(world: &World) {
    let url = &world.elsewhere().await;
    migrate_to_before(url).await;
    write_as_before(url, "anna", 1).await;
    let old_tables = tables(url).await;
    for (table, _) in &old_tables {
        assert!(behind::count(url, table).await > 0, "{table} has no row here; write one");
    }
    let before = rows(url, &old_tables).await;

    let mut options = options(url);
    options.migrate = Migrate::Never;
    let error = Store::open(&options).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::NotMigrated { found, .. } if found == i64::from(BEFORE)), "{error}");
    assert_eq!(rows(url, &old_tables).await, before);
    options.migrate = Migrate::AtStart;
    let store = Store::open(&options).await.unwrap();
    assert_eq!(rows(url, &old_tables).await, before);
    assert_ne!(tables(url).await, old_tables, "there is something new");

    // A replica that was not replaced yet goes on writing, and ours reads it.
    write_as_before(url, "bert", 2).await;
    for (subject, number) in [("anna", 1), ("bert", 2)] {
        let key = key(subject, "github");
        assert!(store.subjects.get(&key.subject).await.unwrap().is_some());
        assert!(store.connections.standing(&key).await.unwrap().is_some());
        let state = hash(&format!("state {number}"));
        let attempt = store.attempts.consume(&state, crate::world::at(0)).await.unwrap();
        assert_eq!(attempt.unwrap().subject, key.subject);
        assert!(store.api_keys.find(&hash(&format!("key {number}"))).await.unwrap().is_some());
    }
    assert_eq!(store.revocations.backlog().await.unwrap().count, 2);
    store.close().await;
}
