//! Records on their way into rows: the counterpart of [`crate::rows`].

use std::fmt::{self, Display};
use std::time::Duration;

use model::{Account, IntegrationId, SubjectId, Timestamp};
use serde::Serialize;
use vault::{Sealable, Sealed, TokenHash, WrappedKey};

use crate::api_keys::ApiKey;
use crate::attempts::Attempt;
use crate::audit::{About, AuditEntry, Position};
use crate::connections::{ConnectionKey, Cursor, Filter};
use crate::credentials::{Credential, SealedTokens};
use crate::integrations::IntegrationRow;
use crate::refreshes::{Claim, Hold};
use crate::revocations::{NewRevocation, Revocation};
use crate::subjects::Subject;
use crate::{Error, Result, rows};

/// A value for one parameter of a statement.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Octets(Vec<u8>),
}

impl Value {
    /// A text that may come from outside. PostgreSQL can't hold a NUL character, so neither engine is given one.
    pub(crate) fn text(column: &'static str, text: &str) -> Result<Self> {
        without_nul(column, text)?;
        Ok(Self::Text(text.to_owned()))
    }

    /// A text of our own making: an id, a word.
    pub(crate) fn word(word: impl Display) -> Self {
        Self::Text(word.to_string())
    }

    /// JSON; its escapes carry every character.
    pub(crate) fn json(column: &'static str, value: &impl Serialize) -> Result<Self> {
        serde_json::to_string(value)
            .map(Self::Text)
            .map_err(|error| Error::Corrupt { table: column, what: error.to_string() })
    }

    /// What a person reads of it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Null | Self::Octets(_) => String::new(),
        }
    }

    /// Whether it is this text.
    pub(crate) fn is_text(&self, text: &str) -> bool {
        matches!(self, Self::Text(own) if own == text)
    }

    pub(crate) fn hash(hash: &TokenHash) -> Self {
        Self::Octets(hash.as_bytes().to_vec())
    }

    pub(crate) fn sealed<T: Sealable>(sealed: &Sealed<T>) -> Self {
        Self::Octets(sealed.as_bytes().to_vec())
    }
}

impl From<Duration> for Value {
    /// Milliseconds, at most 49 days: what is added to an instant must not overflow it.
    fn from(duration: Duration) -> Self {
        Self::Integer(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).into())
    }
}

impl fmt::Debug for Value {
    /// The drivers print parameters in their own errors; what a row holds stays out of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[value]")
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<Timestamp> for Value {
    fn from(instant: Timestamp) -> Self {
        Self::Integer(instant.as_unix_ms())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The parameters for `subject_columns`.
pub(crate) fn subject(subject: &Subject) -> Result<Vec<Value>> {
    Ok(vec![
        Value::word(&subject.id),
        optional_text("subjects.name", subject.name.as_deref())?,
        optional_text("subjects.mail", subject.mail.as_deref())?,
        optional_text("subjects.language", subject.language.as_deref())?,
        Value::json("subjects.metadata", &subject.metadata)?,
        subject.created_at.into(),
        subject.updated_at.into(),
    ])
}

/// How a row names the owner of an integration.
pub(crate) fn owner(subject: Option<&SubjectId>) -> Value {
    Value::word(subject.map_or("", SubjectId::as_str))
}

/// The parameters for `integration_columns`.
pub(crate) fn integration(row: &IntegrationRow) -> Result<Vec<Value>> {
    Ok(vec![
        Value::word(&row.id),
        owner(row.subject.as_ref()),
        Value::word(&row.provider),
        Value::text("integrations.client_id", &row.client_id)?,
        row.client_secret.as_ref().map(Value::sealed).into(),
        row.scopes.as_ref().map(|scopes| Value::json("integrations.scopes", scopes)).transpose()?.into(),
        optional_text("integrations.redirect_uri", row.redirect_uri.as_deref())?,
        row.updated_at.into(),
    ])
}

/// The parameters for `attempt_columns`, then the ticket and the state.
pub(crate) fn attempt(
    attempt: &Attempt,
    ticket: Option<&TokenHash>,
    state: Option<&TokenHash>,
) -> Result<Vec<Value>> {
    Ok(vec![
        Value::word(attempt.id),
        Value::word(&attempt.subject),
        Value::word(&attempt.integration),
        Value::word(&attempt.label),
        Value::word(&attempt.provider),
        Value::word(attempt.origin.word()),
        optional_text("attempts.return_to", attempt.return_to.as_deref())?,
        Value::word(rows::binding_word(attempt.binding)),
        Value::json("attempts.scopes", &attempt.scopes)?,
        Value::text("attempts.client_id", &attempt.client_id)?,
        Value::text("attempts.redirect_uri", &attempt.redirect_uri)?,
        Value::text("attempts.token_url", &attempt.token_url)?,
        optional_text("attempts.issuer", attempt.issuer.as_deref())?,
        Value::text("attempts.authorize_url", &attempt.authorize_url)?,
        attempt.code_verifier.as_ref().map(Value::sealed).into(),
        Value::text("attempts.started_by", &attempt.started_by)?,
        attempt.issued_at.into(),
        attempt.expires_at.into(),
        attempt.consumed_at.into(),
        attempt.binding_hash.as_ref().map(Value::hash).into(),
        Value::json("attempts.members", &attempt.members)?,
        ticket.map(Value::hash).into(),
        state.map(Value::hash).into(),
    ])
}

/// The parameters for `credential_columns`, then `updated_at` and `account_id`.
pub(crate) fn credential(credential: &Credential, updated_at: Timestamp) -> Result<Vec<Value>> {
    let [access_token, refresh_token, extra, token_type, scopes, expires_at, obtained_at] =
        tokens(&credential.tokens)?;
    let account = credential.account.as_ref().map(|account| Value::json("credentials.account", account));
    Ok(vec![
        Value::word(credential.id),
        Value::word(&credential.subject),
        Value::word(&credential.integration),
        Value::word(&credential.provider),
        Value::text("credentials.client_id", &credential.client_id)?,
        Value::text("credentials.token_url", &credential.token_url)?,
        credential.generation.into(),
        account.transpose()?.into(),
        access_token,
        refresh_token,
        extra,
        token_type,
        scopes,
        expires_at,
        obtained_at,
        credential.refreshed_at.into(),
        credential.broken.map(|(since, _)| since).into(),
        credential.broken.map(|(_, reason)| Value::word(reason.word())).into(),
        optional_text("credentials.last_error", credential.last_error.as_deref())?,
        credential.failures.into(),
        credential.due_at.into(),
        credential.used_at.into(),
        credential.grant_started_at.into(),
        credential.grant_ends_at.into(),
        credential.part.as_ref().map(|part| Value::word(part.of)).into(),
        optional_text("credentials.part", credential.part.as_ref().map(|part| part.name.as_str()))?,
        updated_at.into(),
        account_id(credential.account.as_ref())?,
    ])
}

/// What finds an account among others.
pub(crate) fn account_id(account: Option<&Account>) -> Result<Value> {
    optional_text("credentials.account_id", account.map(|account| account.id.as_str()))
}

/// The parameters for a token set, in the order of `credential_columns`.
pub(crate) fn tokens(tokens: &SealedTokens) -> Result<[Value; 7]> {
    Ok([
        tokens.access_token.as_ref().map(Value::sealed).into(),
        tokens.refresh_token.as_ref().map(Value::sealed).into(),
        tokens.extra.as_ref().map(Value::sealed).into(),
        Value::text("credentials.token_type", &tokens.token_type)?,
        Value::json("credentials.scopes", &tokens.scopes)?,
        tokens.expires_at.into(),
        tokens.obtained_at.into(),
    ])
}

/// The parameters that name a claim: credential, generation, fence.
pub(crate) fn claim(claim: &Claim) -> [Value; 3] {
    [Value::word(claim.credential), claim.generation.into(), claim.fence.into()]
}

/// Pairs of integration and client id as a JSON array, each `integration || ' ' || client_id`: no integration has a
/// space. No row's client id has a NUL character, so a pair with one is left out.
pub(crate) fn pairs(pairs: &[(IntegrationId, String)]) -> Result<Value> {
    let pairs: Vec<String> = pairs
        .iter()
        .filter(|(_, client_id)| !client_id.contains('\0'))
        .map(|(integration, client_id)| format!("{integration} {client_id}"))
        .collect();
    Value::json("credentials.client_id", &pairs)
}

/// The parameters for `revocation_columns`.
pub(crate) fn revocation(revocation: &Revocation) -> Result<Vec<Value>> {
    let account = revocation.account.as_ref().map(|account| Value::json("revocations.account", account));
    Ok(vec![
        Value::word(revocation.id),
        Value::word(revocation.credential),
        Value::word(&revocation.subject),
        Value::word(&revocation.integration),
        Value::word(&revocation.provider),
        Value::text("revocations.client_id", &revocation.client_id)?,
        Value::text("revocations.url", &revocation.url)?,
        revocation.label.as_ref().map(Value::word).into(),
        account.transpose()?.into(),
        revocation.access_token.as_ref().map(Value::sealed).into(),
        revocation.refresh_token.as_ref().map(Value::sealed).into(),
        revocation.attempts.into(),
        revocation.due_at.into(),
        revocation.created_at.into(),
        optional_text("revocations.last_error", revocation.last_error.as_deref())?,
    ])
}

/// The parameters with which a credential becomes a revocation: id, credential, url, label, due, creation.
pub(crate) fn new_revocation(new: &NewRevocation, key: &ConnectionKey, at: Timestamp) -> Result<[Value; 6]> {
    Ok([
        Value::word(new.id),
        Value::word(new.credential),
        Value::text("revocations.url", &new.url)?,
        Value::word(&key.label),
        new.held_until.into(),
        at.into(),
    ])
}

/// The parameters for `hold_columns`.
pub(crate) fn hold(hold: &Hold) -> Result<[Value; 3]> {
    Ok([
        hold.since.into(),
        Value::text("refresh_hold.reason", &hold.reason)?,
        Value::text("refresh_hold.held_by", &hold.by)?,
    ])
}

/// The parameters that name a connection.
pub(crate) fn key(key: &ConnectionKey) -> [Value; 3] {
    [Value::word(&key.subject), Value::word(&key.integration), Value::word(&key.label)]
}

/// Refuses a text with a NUL character.
pub(crate) fn without_nul(column: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') { Err(Error::NulCharacter { column }) } else { Ok(()) }
}

pub(crate) fn optional_text(column: &'static str, text: Option<&str>) -> Result<Value> {
    text.map_or(Ok(Value::Null), |text| Value::text(column, text))
}

/// The parameters of an overview: cursor, now, buffer, limit.
pub(crate) fn overview(
    cursor: Option<&SubjectId>,
    now: Timestamp,
    buffer: Duration,
    limit: u32,
) -> [Value; 4] {
    // Every id comes after the empty text.
    let after = cursor.map_or_else(|| Value::word(""), Value::word);
    let buffer = i64::try_from(buffer.as_millis()).unwrap_or(i64::MAX);
    [after, now.into(), buffer.into(), i64::from(limit).into()]
}

/// The parameters of a list: subject, integration, state, cursor, limit.
pub(crate) fn list(filter: &Filter, cursor: Option<Cursor>, limit: u32) -> [Value; 5] {
    [
        filter.subject.as_ref().map(Value::word).into(),
        filter.integration.as_ref().map(Value::word).into(),
        filter.state.map(|state| Value::word(state.word())).into(),
        // Every id comes after the empty text.
        cursor.map_or_else(|| Value::word(""), Value::word),
        i64::from(limit).into(),
    ]
}

/// The parameters for `api_key_columns`, then the hash.
pub(crate) fn api_key(key: &ApiKey, hash: &TokenHash) -> Result<[Value; 6]> {
    Ok([
        Value::word(key.id),
        Value::text("api_keys.name", &key.name)?,
        Value::json("api_keys.scopes", &key.scopes)?,
        key.created_at.into(),
        key.revoked_at.into(),
        Value::hash(hash),
    ])
}

/// The parameters for `keyring_columns`.
pub(crate) fn wrapped_key(key: &WrappedKey) -> [Value; 3] {
    [i64::from(key.version).into(), Value::word(&key.master_key_id), Value::Octets(key.wrapped.clone())]
}

/// The parameters for `audit_columns`.
pub(crate) fn audit_entry(entry: &AuditEntry) -> Result<[Value; 8]> {
    Ok([
        Value::word(entry.writer),
        entry.sequence.into(),
        entry.at.into(),
        Value::word(&entry.event),
        Value::Octets(entry.previous.to_vec()),
        Value::Octets(entry.hash.to_vec()),
        optional_text("audit.subject", entry.subject.as_deref())?,
        optional_text("audit.integration", entry.integration.as_deref())?,
    ])
}

/// The parameters of a page of the trail: the position before it (after every entry without one), the limit, then what
/// it is about.
pub(crate) fn trail(about: &About, before: Option<&Position>, limit: u32) -> Vec<Value> {
    let [at, writer, sequence] = before.map_or_else(
        || [i64::MAX.into(), Value::word(""), 0.into()],
        |position| [position.at.into(), Value::word(position.writer), position.sequence.into()],
    );
    let page = [at, writer, sequence, i64::from(limit).into()];
    page.into_iter().chain(found_by(about)).collect()
}

/// The parameters of a page of what came after a position, until an instant: the position, the instant, the limit, then
/// what it is about.
pub(crate) fn trail_after(about: &About, after: &Position, until: Timestamp, limit: u32) -> Vec<Value> {
    let Position { at, writer, sequence } = *after;
    let page = [at.into(), Value::word(writer), sequence.into(), until.into(), i64::from(limit).into()];
    page.into_iter().chain(found_by(about)).collect()
}

fn found_by(about: &About) -> impl Iterator<Item = Value> {
    let (subject, integration) = match about {
        About::Anything => (None, None),
        About::Subject(subject) => (Some(subject), None),
        About::Connection(subject, integration) => (Some(subject), Some(integration)),
    };
    subject.map(Value::word).into_iter().chain(integration.map(Value::word))
}
