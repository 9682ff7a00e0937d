//! Rows and records: which columns a record has, and how it is read from them. Both engines use these; only the
//! statements are their own.

use model::{Account, Binding, ConnectionState, Origin, Scopes};
use serde_json::{Map, Value as Json};
use vault::WrappedKey;

use crate::Result;
use crate::api_keys::ApiKey;
use crate::attempts::Attempt;
use crate::audit::{AuditEntry, Head};
use crate::columns::{Columns, Reader};
use crate::connections::{Connection, ConnectionKey, Standing};
use crate::credentials::{Credential, SealedTokens};
use crate::integrations::IntegrationRow;
use crate::subjects::Subject;

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $list:literal;)*) => {
        $($(#[$doc])* macro_rules! $name { () => { $list }; } pub(crate) use $name;)*
    };
}

columns! {
    /// Read by [`subject`].
    subject_columns = "id, name, mail, language, metadata, created_at, updated_at";
    /// Read by [`integration`].
    integration_columns = "id, subject, provider, client_id, client_secret, scopes, redirect_uri, updated_at";
    /// Read by [`attempt`].
    attempt_columns = "id, subject, integration, label, provider, origin, return_to, binding, scopes, client_id, \
        redirect_uri, token_url, issuer, authorize_url, code_verifier, started_by, issued_at, expires_at, \
        consumed_at, binding_hash";
    /// Read by [`credential`].
    credential_columns = "id, subject, integration, provider, client_id, token_url, generation, account, \
        access_token, refresh_token, extra, token_type, scopes, expires_at, obtained_at, refreshed_at, broken_at, \
        broken_reason, last_error";
    /// Read by [`connection`]; `c` is the connection, `k` its credential.
    connection_columns = "c.id, c.subject, c.integration, c.label, c.credential, c.generation, c.metadata, \
        c.requested_scopes, c.connected_at, c.connected_by, c.updated_at, k.updated_at, k.scopes, k.account, \
        k.expires_at, k.refreshed_at, CAST(CASE WHEN k.access_token IS NULL THEN 0 ELSE 1 END AS BIGINT), \
        CAST(CASE WHEN k.refresh_token IS NULL THEN 0 ELSE 1 END AS BIGINT), k.last_error, k.broken_at, \
        k.broken_reason, c.disconnected_at, c.disconnected_by";
    /// Read by [`standing`]; `c` is the connection, `k` its credential.
    standing_columns = "c.id, k.id, k.generation, k.access_token, k.extra, k.token_type, k.scopes, k.obtained_at, \
        k.expires_at, CAST(CASE WHEN k.refresh_token IS NULL THEN 0 ELSE 1 END AS BIGINT), k.broken_at, \
        k.broken_reason";
    /// Read by [`api_key`].
    api_key_columns = "id, name, scopes, created_at, revoked_at";
    /// Read by [`wrapped_key`].
    keyring_columns = "version, master_key_id, wrapped";
    /// Read by [`audit_entry`].
    audit_columns = "writer, sequence, at, event, previous, hash";
    /// Read by [`head`].
    head_columns = "writer, sequence, hash";
    /// Begins a statement that knows every writer of the trail as `chains`. Steps from one to the next through the
    /// index: the trail is long, its chains are few.
    with_chains = "WITH RECURSIVE chains (writer) AS (SELECT min(writer) FROM audit UNION ALL \
        SELECT (SELECT min(a.writer) FROM audit a WHERE a.writer > chains.writer) FROM chains \
        WHERE chains.writer IS NOT NULL) ";
}

pub(crate) fn subject(row: &dyn Columns) -> Result<Subject> {
    let mut row = Reader::of("subjects", subject_columns!(), row);
    Ok(Subject {
        id: row.id()?,
        name: row.optional_text()?,
        mail: row.optional_text()?,
        language: row.optional_text()?,
        metadata: row.json()?,
        created_at: row.time()?,
        updated_at: row.time()?,
    })
}

pub(crate) fn integration(row: &dyn Columns) -> Result<IntegrationRow> {
    let mut row = Reader::of("integrations", integration_columns!(), row).key(2);
    Ok(IntegrationRow {
        id: row.id()?,
        subject: match row.text()?.as_str() {
            "" => None,
            subject => Some(subject.parse().map_err(|_| row.corrupt("not a subject"))?),
        },
        provider: row.id()?,
        client_id: row.text()?,
        client_secret: row.optional_sealed()?,
        scopes: row.optional_json()?,
        redirect_uri: row.optional_text()?,
        updated_at: row.time()?,
    })
}

pub(crate) fn attempt(row: &dyn Columns) -> Result<Attempt> {
    let mut row = Reader::of("attempts", attempt_columns!(), row);
    Ok(Attempt {
        id: row.id()?,
        subject: row.id()?,
        integration: row.id()?,
        label: row.id()?,
        provider: row.id()?,
        origin: row.word(Origin::from_word)?,
        return_to: row.optional_text()?,
        binding: row.word(binding_from_word)?,
        scopes: row.json()?,
        client_id: row.text()?,
        redirect_uri: row.text()?,
        token_url: row.text()?,
        issuer: row.optional_text()?,
        authorize_url: row.text()?,
        code_verifier: row.optional_sealed()?,
        started_by: row.text()?,
        issued_at: row.time()?,
        expires_at: row.time()?,
        consumed_at: row.optional_time()?,
        binding_hash: row.optional_hash()?,
    })
}

/// Reads `id, state`: whether the hop has given the attempt one.
pub(crate) fn is_started(row: &dyn Columns) -> Result<bool> {
    let mut row = Reader::of("attempts", "id, state", row);
    row.text()?;
    Ok(row.optional_octets()?.is_some())
}

pub(crate) const fn binding_word(binding: Binding) -> &'static str {
    match binding {
        Binding::Cookie => "cookie",
        Binding::None => "none",
    }
}

fn binding_from_word(word: &str) -> Option<Binding> {
    [Binding::Cookie, Binding::None].into_iter().find(|binding| binding_word(*binding) == word)
}

pub(crate) fn credential(row: &dyn Columns) -> Result<Credential> {
    let mut row = Reader::of("credentials", credential_columns!(), row);
    let id = row.id()?;
    let subject = row.id()?;
    let integration = row.id()?;
    let provider = row.id()?;
    let client_id = row.text()?;
    let token_url = row.text()?;
    let generation = row.integer()?;
    let account = row.optional_json()?;
    let tokens = SealedTokens {
        access_token: row.optional_sealed()?,
        refresh_token: row.optional_sealed()?,
        extra: row.optional_sealed()?,
        token_type: row.text()?,
        scopes: row.json()?,
        expires_at: row.optional_time()?,
        obtained_at: row.time()?,
    };
    let refreshed_at = row.optional_time()?;
    let broken = row.broken()?;
    let last_error = row.optional_text()?;
    Ok(Credential {
        id,
        subject,
        integration,
        provider,
        client_id,
        token_url,
        generation,
        account,
        tokens,
        refreshed_at,
        broken,
        last_error,
    })
}

pub(crate) fn connection(row: &dyn Columns) -> Result<Connection> {
    let mut row = Reader::of("connections", connection_columns!(), row);
    let id = row.id()?;
    let key = ConnectionKey { subject: row.id()?, integration: row.id()?, label: row.id()? };
    let credential = row.optional_id()?;
    let generation = row.integer()?;
    let metadata: Map<String, Json> = row.json()?;
    let requested_scopes = row.json()?;
    let connected_at = row.time()?;
    let connected_by = row.text()?;
    let written_at = row.time()?;
    let tokens_written_at = row.optional_time()?;
    let granted_scopes: Option<Scopes> = row.optional_json()?;
    let account: Option<Account> = row.optional_json()?;
    let expires_at = row.optional_time()?;
    let refreshed_at = row.optional_time()?;
    let has_access_token = row.flag()?;
    let has_refresh_token = row.flag()?;
    let last_error = row.optional_text()?;
    let broken = row.broken()?;
    let disconnected_at = row.optional_time()?;
    let disconnected_by = row.optional_text()?;
    let state = match (&credential, broken, disconnected_at.zip(disconnected_by)) {
        (Some(_), None, _) => ConnectionState::Active,
        (Some(_), Some((since, reason)), _) => ConnectionState::Broken { since, reason },
        (None, _, Some((at, by))) => ConnectionState::Disconnected { at, by },
        (None, _, None) => return Err(row.corrupt("neither connected nor disconnected")),
    };
    Ok(Connection {
        id,
        key,
        credential,
        state,
        generation,
        metadata,
        requested_scopes,
        connected_at,
        connected_by,
        updated_at: tokens_written_at.map_or(written_at, |tokens| tokens.max(written_at)),
        granted_scopes: granted_scopes.unwrap_or_default(),
        account,
        expires_at,
        refreshed_at,
        has_access_token,
        has_refresh_token,
        last_error,
    })
}

pub(crate) fn standing(row: &dyn Columns) -> Result<Standing> {
    let mut row = Reader::of("connections", standing_columns!(), row);
    Ok(Standing {
        connection: row.id()?,
        credential: row.id()?,
        generation: row.integer()?,
        access_token: row.optional_sealed()?,
        extra: row.optional_sealed()?,
        token_type: row.text()?,
        scope: row.json::<Scopes>()?.to_string(),
        obtained_at: row.time()?,
        expires_at: row.optional_time()?,
        has_refresh_token: row.flag()?,
        broken: row.broken()?,
    })
}

pub(crate) fn api_key(row: &dyn Columns) -> Result<ApiKey> {
    let mut row = Reader::of("api_keys", api_key_columns!(), row);
    Ok(ApiKey {
        id: row.id()?,
        name: row.text()?,
        scopes: row.json()?,
        created_at: row.time()?,
        revoked_at: row.optional_time()?,
    })
}

pub(crate) fn wrapped_key(row: &dyn Columns) -> Result<WrappedKey> {
    let mut row = Reader::of("keyring", keyring_columns!(), row);
    Ok(WrappedKey {
        version: row.integer()?.try_into().map_err(|_| row.corrupt("not a key version"))?,
        master_key_id: row.text()?,
        wrapped: row.octets()?,
    })
}

pub(crate) fn audit_entry(row: &dyn Columns) -> Result<AuditEntry> {
    let mut row = Reader::of("audit", audit_columns!(), row).key(2);
    Ok(AuditEntry {
        writer: row.id()?,
        sequence: row.integer()?,
        at: row.time()?,
        event: row.text()?,
        previous: row.chain_hash()?,
        hash: row.chain_hash()?,
    })
}

pub(crate) fn head(row: &dyn Columns) -> Result<Head> {
    let mut row = Reader::of("audit", head_columns!(), row).key(2);
    Ok(Head { writer: row.id()?, sequence: row.integer()?, hash: row.chain_hash()? })
}

/// What a connection has before it is written: `id, credential, metadata, generation`.
pub(crate) struct Before {
    pub(crate) id: model::ConnectionId,
    pub(crate) credential: Option<String>,
    pub(crate) metadata: Map<String, Json>,
    pub(crate) generation: i64,
}

pub(crate) fn before(row: &dyn Columns) -> Result<Before> {
    let mut row = Reader::of("connections", "id, credential, metadata, generation", row);
    Ok(Before {
        id: row.id()?,
        credential: row.optional_text()?,
        metadata: row.json()?,
        generation: row.integer()?,
    })
}

/// Merges a patch: members are set, `null` removes.
pub(crate) fn merge(metadata: &mut Map<String, Json>, patch: &Map<String, Json>) {
    for (name, value) in patch {
        if value.is_null() {
            metadata.remove(name);
        } else {
            metadata.insert(name.clone(), value.clone());
        }
    }
}
