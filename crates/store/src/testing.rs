//! Fresh databases for tests, and one that is only simulated.

use std::io::Write as _;

mod simulated;

pub use simulated::{Simulated, Snapshot};

/// The address of an empty PostgreSQL database of its own, or `None` where there is no server: then one line says what
/// was skipped.
///
/// The server is the one of `CLAVIGER_TEST_POSTGRES`, the address of a database whose role may create others. With
/// `CLAVIGER_TEST_REQUIRE=1` a missing server fails the test.
pub async fn fresh_postgres() -> Option<String> {
    let Ok(admin) = std::env::var("CLAVIGER_TEST_POSTGRES") else {
        assert!(
            std::env::var("CLAVIGER_TEST_REQUIRE").as_deref() != Ok("1"),
            "CLAVIGER_TEST_REQUIRE=1, but CLAVIGER_TEST_POSTGRES names no server"
        );
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Not eprintln!: `cargo test` would swallow it.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (no PostgreSQL; run `cargo xtask test`)");
        return None;
    };
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
