//! Fresh databases for tests, and one that is only simulated.

use std::io::Write as _;

mod simulated;

pub use simulated::{Simulated, Snapshot};

/// What the variable says; `None` where it says nothing: then one line tells what was skipped. With
/// `CLAVIGER_TEST_REQUIRE=1` it fails the test.
fn named_by(variable: &str, server: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        assert!(
            std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() != Ok("1"),
            "CLAVIGER_TEST_REQUIRE=1, but {variable} names no server"
        );
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Not eprintln!: `cargo test` would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (no {server}; run `cargo xtask test`)");
    }
    address
}

/// The address of the Redis or Valkey of `CLAVIGER_TEST_REDIS`, which all tests share, or `None` where there is none.
pub fn redis() -> Option<String> {
    named_by("CLAVIGER_TEST_REDIS", "Redis")
}

/// The address of an empty PostgreSQL database of its own, or `None` where there is no server.
///
/// The server is the one of `CLAVIGER_TEST_POSTGRES`, the address of a database whose role may create others.
pub async fn fresh_postgres() -> Option<String> {
    let admin = named_by("CLAVIGER_TEST_POSTGRES", "PostgreSQL")?;
    let name = format!("claviger_{}", vault::random::token().expose());
    let name = &name[..40];
    let (client, connection) = tokio_postgres::connect(&admin, tokio_postgres::NoTls)
        .await
        .expect("the server of CLAVIGER_TEST_POSTGRES answers");
    let connection = tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await
        .expect("the role of CLAVIGER_TEST_POSTGRES may create databases");
    drop(client);
    let _ = connection.await;
    let mut url = url::Url::parse(&admin).expect("CLAVIGER_TEST_POSTGRES is an address");
    url.set_path(name);
    Some(url.into())
}
