//! Rows and records: which columns a record has, and how it is read from them. Both engines use these; only the
//! statements are their own.

use model::{Account, Binding, ConnectionState, Origin, Scopes};
use serde_json::{Map, Value as Json};
use vault::WrappedKey;

use crate::Result;
use crate::api_keys::ApiKey;
use crate::attempts::{Attempt, Question};
use crate::audit::{AuditEntry, Head};
use crate::columns::{Columns, Reader};
use crate::connections::{Connection, ConnectionKey, Disconnected, Standing};
use crate::credentials::{Credential, Part, SealedTokens};
use crate::drills::AbandonedDrill;
use crate::integrations::IntegrationRow;
use crate::keyring::KeyRow;
use crate::refreshes::{Backlog, Claim, Due, EndingGrant, Hold, JournalRow, Look, Phase};
use crate::revocations::{Revocation, RevocationBacklog};
use crate::subjects::{Overview, Subject};

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $list:literal;)*) => {
        $($(#[$doc])* macro_rules! $name { () => { $list }; } pub(crate) use $name;)*
    };
}

pub(crate) mod applications;
pub(crate) mod authorizations;
pub(crate) mod families;
pub(crate) mod grants;
pub(crate) mod portal;
pub(crate) mod sealed;
pub(crate) mod signing_keys;
pub(crate) mod stripe;
pub(crate) mod users;

columns! {
    /// Read by [`subject`].
    subject_columns = "id, name, mail, language, metadata, created_at, updated_at";
    /// Read by [`integration`].
    integration_columns = "id, subject, provider, client_id, client_secret, scopes, redirect_uri, updated_at";
    /// Read by [`attempt`].
    attempt_columns = "id, subject, integration, label, provider, origin, return_to, binding, scopes, client_id, \
        redirect_uri, token_url, issuer, authorize_url, code_verifier, started_by, issued_at, expires_at, \
        consumed_at, binding_hash, members";
    /// Read by [`question`] after `attempt_columns`.
    question_columns = "held, answer_by";
    /// Read by [`credential`].
    credential_columns = "id, subject, integration, provider, client_id, token_url, generation, account, \
        access_token, refresh_token, extra, token_type, scopes, expires_at, obtained_at, refreshed_at, broken_at, \
        broken_reason, last_error, failures, due_at, used_at, grant_started_at, grant_ends_at, parent, part";
    /// Read by [`connection`]; `c` is the connection, `k` its credential.
    connection_columns = "c.id, c.subject, c.integration, c.label, c.credential, c.generation, c.metadata, \
        c.requested_scopes, c.connected_at, c.connected_by, c.updated_at, k.updated_at, k.scopes, k.account, \
        k.expires_at, k.refreshed_at, CAST(CASE WHEN k.access_token IS NULL THEN 0 ELSE 1 END AS BIGINT), \
        CAST(CASE WHEN k.refresh_token IS NULL THEN 0 ELSE 1 END AS BIGINT), k.last_error, \
        k.grant_ends_at, k.due_at, k.broken_at, k.broken_reason, c.disconnected_at, c.disconnected_by";
    /// Read by [`standing`]; `c` is the connection, `k` its credential.
    standing_columns = "c.id, k.id, k.generation, k.access_token, k.extra, k.token_type, k.scopes, k.obtained_at, \
        k.expires_at, CAST(CASE WHEN k.refresh_token IS NULL THEN 0 ELSE 1 END AS BIGINT), k.broken_at, \
        k.broken_reason, k.used_at";
    /// Read by [`look`] after `credential_columns`, from `look_tables`; then the time.
    look_columns = "fence, tokens_fence, lease_until, \
        CAST(CASE WHEN EXISTS (SELECT 1 FROM refresh_hold) THEN 1 ELSE 0 END AS BIGINT), \
        CAST(CASE WHEN EXISTS (SELECT 1 FROM drills d WHERE d.credential = id) THEN 1 ELSE 0 END AS BIGINT), \
        call_fence, spent, phase, \
        silent, started_at, answer";
    /// A credential with each of its latest calls, or once with none.
    look_tables = "credentials LEFT JOIN (SELECT credential, fence AS call_fence, generation AS spent, phase, silent, \
        started_at, answer FROM refresh_journal) journal \
        ON journal.credential = id AND spent >= generation - 1";
    /// Read by [`due`]; then since when.
    due_columns = "id, generation, subject, integration, client_id";
    /// Read by [`ending_grant`].
    ending_columns = "id, subject, integration, grant_ends_at, warned_days";
    /// Which columns a drill has.
    drill_columns = "credential, generation, fence, refresh_token, last_error, failures, due_at, updated_at, \
        began_at, began_by";
    /// Read by [`abandoned_drill`]; `d` is the drill, `k` its credential.
    abandoned_columns = "d.credential, d.generation, d.fence, k.subject, k.integration, d.began_at, d.began_by";
    /// Read by [`revocation`].
    revocation_columns = "id, credential, subject, integration, provider, client_id, url, label, account, \
        access_token, refresh_token, attempts, due_at, created_at, last_error";
    /// Read by [`hold`].
    hold_columns = "since, reason, held_by";
    /// Read by [`api_key`].
    api_key_columns = "id, name, scopes, created_at, revoked_at";
    /// What a data key is added with.
    keyring_columns = "version, master_key_id, wrapped";
    /// Read by [`key_row`].
    key_row_columns = "version, master_key_id, wrapped, created_at, spread_at";
    /// Read by [`audit_entry`].
    audit_columns = "writer, sequence, at, event, previous, hash, subject, integration";
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

/// The subjects of a page with their connections and credentials, counted; the smaller of two numbers is an engine's own
/// affair.
macro_rules! overview_query {
    ($page:literal, $now:literal, $buffer:literal, $least:literal) => {
        concat!(
            "SELECT s.id, \
             COUNT(*) FILTER (WHERE k.broken_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ",
            $now,
            ") AND k.id IS NOT NULL), \
             COUNT(*) FILTER (WHERE k.broken_at IS NULL AND k.expires_at > ",
            $now,
            " AND k.expires_at - ",
            $now,
            " <= ",
            $least,
            "(",
            $buffer,
            ", (k.expires_at - COALESCE(k.refreshed_at, c.connected_at)) / 5)), \
             COUNT(*) FILTER (WHERE k.broken_at IS NULL AND k.expires_at <= ",
            $now,
            "), COUNT(*) FILTER (WHERE k.broken_at IS NOT NULL), \
             COUNT(*) FILTER (WHERE c.id IS NOT NULL AND c.credential IS NULL) \
             FROM (SELECT id FROM subjects WHERE ",
            $page,
            ") s LEFT JOIN connections c ON c.subject = s.id LEFT JOIN credentials k ON k.id = c.credential \
             GROUP BY s.id ORDER BY s.id"
        )
    };
}
pub(crate) use overview_query;

pub(crate) fn overview(row: &dyn Columns) -> Result<Overview> {
    let mut row = Reader::of("subjects", "id, live, expiring, expired, broken, disconnected", row);
    let subject = row.id()?;
    let (live, expiring) = (row.integer()?, row.integer()?);
    Ok(Overview {
        subject,
        active: live - expiring,
        expiring,
        expired: row.integer()?,
        broken: row.integer()?,
        disconnected: row.integer()?,
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
    read_attempt(&mut Reader::of("attempts", attempt_columns!(), row))
}

pub(crate) fn question(row: &dyn Columns) -> Result<Question> {
    let mut row = Reader::of("attempts", concat!(attempt_columns!(), ", ", question_columns!()), row);
    Ok(Question { attempt: read_attempt(&mut row)?, held: row.id()?, answer_by: row.time()? })
}

fn read_attempt(row: &mut Reader<'_>) -> Result<Attempt> {
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
        members: row.json()?,
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
    read_credential(&mut Reader::of("credentials", credential_columns!(), row))
}

fn read_credential(row: &mut Reader<'_>) -> Result<Credential> {
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
        last_error: row.optional_text()?,
        failures: row.integer()?,
        due_at: row.optional_time()?,
        used_at: row.optional_time()?,
        grant_started_at: row.optional_time()?,
        grant_ends_at: row.optional_time()?,
        part: row.optional_id()?.zip(row.optional_text()?).map(|(of, name)| Part { of, name }),
    })
}

/// Reads one credential with at most one of its calls.
pub(crate) fn look(row: &dyn Columns) -> Result<Look> {
    let mut row =
        Reader::of("credentials", concat!(credential_columns!(), ", ", look_columns!(), ", now"), row);
    let credential = read_credential(&mut row)?;
    let (fence, tokens_fence, leased_until) = (row.integer()?, row.integer()?, row.optional_time()?);
    let (held, drilled) = (row.flag()?, row.flag()?);
    let mut journal = Vec::new();
    if let Some(fence) = row.optional_integer()? {
        journal.push(JournalRow {
            fence,
            generation: row.integer()?,
            phase: row.word(Phase::from_word)?,
            silent: row.flag()?,
            started_at: row.time()?,
            answer: row.optional_json()?,
        });
    } else {
        row.skip(5);
    }
    Ok(Look { credential, fence, tokens_fence, leased_until, journal, now: row.time()?, held, drilled })
}

/// Puts the rows of one credential together.
pub(crate) fn gathered(looks: Vec<Look>) -> Option<Look> {
    looks.into_iter().reduce(|mut first, next| {
        first.journal.extend(next.journal);
        first
    })
}

pub(crate) fn credential_id(row: &dyn Columns) -> Result<model::CredentialId> {
    Reader::of("credentials", "id", row).id()
}

pub(crate) fn fence(row: &dyn Columns) -> Result<i64> {
    Reader::of("credentials", "fence", row).integer()
}

pub(crate) fn abandoned_drill(row: &dyn Columns) -> Result<AbandonedDrill> {
    let mut row = Reader::of("drills", abandoned_columns!(), row);
    Ok(AbandonedDrill {
        claim: Claim { credential: row.id()?, generation: row.integer()?, fence: row.integer()? },
        subject: row.id()?,
        integration: row.id()?,
        began_at: row.time()?,
        by: row.text()?,
    })
}

pub(crate) fn due(row: &dyn Columns) -> Result<Due> {
    let mut row = Reader::of("credentials", concat!(due_columns!(), ", since"), row);
    Ok(Due {
        credential: row.id()?,
        generation: row.integer()?,
        subject: row.id()?,
        integration: row.id()?,
        client_id: row.text()?,
        since: row.time()?,
    })
}

pub(crate) fn ending_grant(row: &dyn Columns) -> Result<EndingGrant> {
    let mut row = Reader::of("credentials", ending_columns!(), row);
    Ok(EndingGrant {
        credential: row.id()?,
        subject: row.id()?,
        integration: row.id()?,
        ends_at: row.time()?,
        warned_days: row.optional_integer()?,
    })
}

pub(crate) fn revocation(row: &dyn Columns) -> Result<Revocation> {
    let mut row = Reader::of("revocations", revocation_columns!(), row);
    Ok(Revocation {
        id: row.id()?,
        credential: row.id()?,
        subject: row.id()?,
        integration: row.id()?,
        provider: row.id()?,
        client_id: row.text()?,
        url: row.text()?,
        label: row.optional_id()?,
        account: row.optional_json()?,
        access_token: row.optional_sealed()?,
        refresh_token: row.optional_sealed()?,
        attempts: row.integer()?,
        due_at: row.time()?,
        created_at: row.time()?,
        last_error: row.optional_text()?,
    })
}

/// Reads `count, oldest`.
pub(crate) fn revocation_backlog(row: &dyn Columns) -> Result<RevocationBacklog> {
    let mut row = Reader::of("revocations", "count, oldest", row);
    Ok(RevocationBacklog { count: row.integer()?, oldest: row.optional_time()? })
}

pub(crate) fn hold(row: &dyn Columns) -> Result<Hold> {
    let mut row = Reader::of("refresh_hold", hold_columns!(), row);
    Ok(Hold { since: row.time()?, reason: row.text()?, by: row.text()? })
}

/// Reads `oldest_due, journal_rows`.
pub(crate) fn backlog(row: &dyn Columns) -> Result<Backlog> {
    let mut row = Reader::of("refresh_journal", "oldest_due, journal_rows", row);
    Ok(Backlog { oldest_due: row.optional_time()?, journal_rows: row.integer()? })
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
    let grant_ends_at = row.optional_time()?;
    let due_at = row.optional_time()?;
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
        grant_ends_at,
        due_at,
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
        used_at: row.optional_time()?,
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
    read_wrapped_key(&mut Reader::of("keyring", keyring_columns!(), row))
}

pub(crate) fn key_row(row: &dyn Columns) -> Result<KeyRow> {
    let mut row = Reader::of("keyring", key_row_columns!(), row);
    let key = read_wrapped_key(&mut row)?;
    Ok(KeyRow { key, created_at: row.optional_time()?, spread_at: row.optional_time()? })
}

fn read_wrapped_key(row: &mut Reader<'_>) -> Result<WrappedKey> {
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
        subject: row.optional_text()?,
        integration: row.optional_text()?,
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

/// What a disconnect did.
pub(crate) fn disconnected(
    now: Option<Connection>,
    revoking: Option<Revocation>,
    is_erased: bool,
) -> Disconnected {
    match (now.map(Box::new), revoking) {
        (None, _) => Disconnected::NotConnected,
        (Some(connection), Some(revocation)) => Disconnected::Revoking(connection, Box::new(revocation)),
        (Some(connection), None) if is_erased => Disconnected::Erased(connection),
        (Some(connection), None) => Disconnected::Shared(connection),
    }
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
