//! The least that a read without a cache can cost here: axum, and one prepared point read of the row that the path
//! names, from the database of `--config FILE`. Nothing is checked and nothing is opened: the answer is the sealed
//! token in JSON, about as long as the server's. The first line that it prints is its address.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::{Path as Parameters, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use claviger::config::{self, Flags};
use claviger::wiring;
use data_encoding::BASE64URL_NOPAD;
use model::SystemClock;
use rusqlite::config::DbConfig;
use rusqlite::{Connection as Database, OpenFlags};
use tokio::net::TcpListener;
use tokio_postgres::{Client, NoTls, Statement};

const ROUTE: &str = "/api/connections/{subject}/{integration}/token";
const LABEL: &str = "default";

/// The columns of the server's own read.
macro_rules! select {
    ($subject:literal, $integration:literal, $label:literal) => {
        concat!(
            "SELECT k.access_token, k.id, k.generation, k.extra, k.token_type, k.scopes, k.obtained_at, \
             k.expires_at, k.broken_at FROM connections c JOIN credentials k ON k.id = c.credential \
             WHERE c.subject = ",
            $subject,
            " AND c.integration = ",
            $integration,
            " AND c.label = ",
            $label
        )
    };
}
const SQLITE: &str = select!("?1", "?2", "?3");
const POSTGRES: &str = select!("$1", "$2", "$3");

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [option, file] = arguments.as_slice() else { bail!("usage: bare_read --config FILE") };
    if option != "--config" {
        bail!("usage: bare_read --config FILE");
    }
    let flags = Flags { config: Some(PathBuf::from(file)), data_dir: None };
    let config = config::load(&flags, std::env::vars_os())?;
    let url = wiring::store_options(&config, Arc::new(SystemClock))?.url;
    let router = match url.strip_prefix("sqlite:") {
        Some(path) => Router::new().route(ROUTE, get(from_sqlite)).with_state(Arc::from(Path::new(path))),
        None => Router::new().route(ROUTE, get(from_postgres)).with_state(Arc::new(connect(&url).await?)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.context("binding a port")?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, router).await.context("serving")
}

type Key = Parameters<(String, String)>;

thread_local! {
    /// Each worker thread reads for itself, so that nothing is locked and no other thread is woken.
    static READER: OnceCell<Database> = const { OnceCell::new() };
}

async fn from_sqlite(State(path): State<Arc<Path>>, Parameters((subject, integration)): Key) -> Response {
    answer(READER.with(|reader| -> Result<String> {
        if reader.get().is_none() {
            // Nobody else is in this thread.
            let _ = reader.set(open(&path)?);
        }
        let database = reader.get().context("the database is open")?;
        let mut statement = database.prepare_cached(SQLITE)?;
        let key = [subject.as_str(), integration.as_str(), LABEL];
        Ok(statement.query_row(key, |row| Ok(BASE64URL_NOPAD.encode(row.get_ref(0)?.as_blob()?)))?)
    }))
}

fn open(path: &Path) -> Result<Database> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Database::open_with_flags(path, flags)?;
    // As in the store: without it the statement would be planned anew for every value that is bound.
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(database)
}

/// A client, and the statement that it has prepared; requests share both, and the client pipelines them.
type Prepared = (Client, Statement);

async fn connect(url: &str) -> Result<Prepared> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(connection);
    let statement = client.prepare(POSTGRES).await?;
    Ok((client, statement))
}

async fn from_postgres(
    State(prepared): State<Arc<Prepared>>,
    Parameters((subject, integration)): Key,
) -> Response {
    let (client, statement) = &*prepared;
    let row = client.query_one(statement, &[&subject, &integration, &LABEL]).await;
    answer(row.map(|row| BASE64URL_NOPAD.encode(row.get(0))).map_err(Into::into))
}

fn answer(sealed: Result<String>) -> Response {
    match sealed {
        Ok(sealed) => {
            ([(CONTENT_TYPE, "application/json")], format!("{{\"sealed\":\"{sealed}\"}}")).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}
