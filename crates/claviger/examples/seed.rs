//! Fills the store of a configuration for the benches: `seed --connections N --config FILE` makes the connections
//! `bench-0` to `bench-{N-1}` at the integration `sandbox`, and an API key that may read their tokens. The one line
//! that it prints names both.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use claviger::config::{self, Flags};
use claviger::wiring;
use data_encoding::BASE64URL_NOPAD;
use model::{AccessToken, ApiKeyScope, ApiKeyScopes, Clock, CredentialId, RefreshToken, Scopes, SystemClock};
use serde_json::json;
use store::Store;
use store::api_keys::ApiKey;
use store::connections::{ConnectionKey, NewConnection};
use store::credentials::{Credential, SealedTokens};
use tokio::task::JoinSet;
use vault::{Keyring, TokenHash};

/// As many as the benches take.
const MAX_CONNECTIONS: u32 = 10_000_000;
/// Writes under way: enough for the store to group them into few commits.
const AT_ONCE: usize = 256;
/// No token ends while a bench runs.
const LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// What providers grant to an ordinary app.
const SCOPES: &str = "openid profile email offline_access";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [connections, count, config, file] = arguments.as_slice() else { bail!(USAGE) };
    ensure!(connections == "--connections" && config == "--config", USAGE);
    let count: u32 =
        count.parse().ok().filter(|count| (1..=MAX_CONNECTIONS).contains(count)).with_context(|| {
            format!("--connections takes a number from 1 to {MAX_CONNECTIONS}, not {count}")
        })?;

    let flags = Flags { config: Some(PathBuf::from(file)), data_dir: None };
    let config = config::load(&flags, std::env::vars_os())?;
    let checked = wiring::check(&config)?;
    let store = Store::open(&wiring::store_options(&config, Arc::new(SystemClock))?).await?;
    let keyring = Arc::new(wiring::keyring(&store, &checked.master, SystemClock.now()).await?);

    let mut writes = JoinSet::new();
    for number in 0..count {
        if writes.len() == AT_ONCE {
            writes.join_next().await.context("writes are under way")???;
        }
        let (store, keyring) = (store.clone(), Arc::clone(&keyring));
        writes.spawn(async move {
            store.connections.connect(&connection(number, &keyring)?).await?;
            anyhow::Ok(())
        });
    }
    while let Some(written) = writes.join_next().await {
        written??;
    }
    let key = api_key(&store).await?;
    store.close().await;
    println!("{}", json!({ "apiKey": key, "path": "/api/connections/bench-{n}/sandbox/token" }));
    Ok(())
}

const USAGE: &str = "usage: seed --connections N --config FILE";

fn connection(number: u32, keyring: &Keyring) -> Result<NewConnection> {
    let now = SystemClock.now();
    let id: CredentialId = vault::random::id();
    let key = ConnectionKey {
        subject: format!("bench-{number}").parse()?,
        integration: "sandbox".parse()?,
        label: "default".parse()?,
    };
    let access_token = AccessToken::from(opaque::<150>().as_str());
    let refresh_token = RefreshToken::from(opaque::<48>().as_str());
    let tokens = SealedTokens {
        access_token: Some(keyring.seal(&id, &access_token)),
        refresh_token: Some(keyring.seal(&id, &refresh_token)),
        extra: None,
        token_type: "Bearer".to_owned(),
        scopes: Scopes::parse(SCOPES, " "),
        expires_at: Some(now + LIFETIME),
        obtained_at: now,
    };
    let credential = Credential {
        id,
        subject: key.subject.clone(),
        integration: key.integration.clone(),
        provider: "sandbox".parse()?,
        client_id: "bench".to_owned(),
        token_url: "http://127.0.0.1/token".to_owned(),
        generation: 1,
        account: None,
        tokens,
        refreshed_at: None,
        broken: None,
        last_error: None,
        failures: 0,
        due_at: None,
        used_at: Some(now),
        grant_started_at: None,
        grant_ends_at: None,
        part: None,
    };
    Ok(NewConnection {
        id: vault::random::id(),
        key,
        metadata: serde_json::Map::new(),
        requested_scopes: Scopes::parse(SCOPES, " "),
        by: "system".to_owned(),
        at: now,
        credential,
        parts: Vec::new(),
    })
}

/// A token as most providers make them: without meaning, four characters for three random octets.
fn opaque<const OCTETS: usize>() -> String {
    BASE64URL_NOPAD.encode(&vault::random::octets::<OCTETS>())
}

async fn api_key(store: &Store) -> Result<String> {
    let key = format!("cvk_{}", vault::random::token().expose());
    let row = ApiKey {
        id: vault::random::id(),
        name: "bench".to_owned(),
        scopes: ApiKeyScopes::from_iter([ApiKeyScope::ConnectionsToken]),
        created_at: SystemClock.now(),
        revoked_at: None,
    };
    store.api_keys.create(&row, &TokenHash::of(&key)).await?;
    Ok(key)
}
