//! SQL behind the store's back.

/// Runs statements.
pub(crate) async fn run(url: &str, sql: &str) {
    if let Some(path) = url.strip_prefix("sqlite:") {
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    } else {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        let _ = connection.await;
    }
}

/// Reads the one text column of a query.
pub(crate) async fn texts(url: &str, sql: &str) -> Vec<String> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let database = rusqlite::Connection::open(path).unwrap();
        let mut statement = database.prepare(sql).unwrap();
        return statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    }
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Counts the rows of a table.
pub(crate) async fn count(url: &str, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    if let Some(path) = url.strip_prefix("sqlite:") {
        let database = rusqlite::Connection::open(path).unwrap();
        return database.query_row(&sql, [], |row| row.get(0)).unwrap();
    }
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(&sql, &[]).await.unwrap().get(0)
}
