//! Rows and records of codes, families of tokens, and access tokens, both ways.

use model::{FamilyId, Timestamp};
use vault::TokenHash;

use crate::Result;
use crate::columns::{Columns, Reader};
use crate::families::{AccessToken, Code, Family, Rotation};
use crate::value::{Value, optional_text};

columns! {
    /// Read by [`code`].
    code_columns = "grant_id, client_id, \"user\", team, redirect_uri, redirect_uri_named, code_challenge, scopes, \
        resources, nonce, auth_time, issued_at, expires_at, redeemed";
    /// Read by [`family`].
    family_columns = "id, grant_id, client_id, \"user\", team, handle, current, generation, scopes, resources, auth_time, \
        created_at, idle_until, ends_at";
    /// Read by [`access_token`].
    access_token_columns = "client_id, family, \"user\", team, scopes, audience, issued_at, expires_at";
}

pub(crate) fn code(row: &dyn Columns) -> Result<Code> {
    let mut row = Reader::of("codes", code_columns!(), row);
    Ok(Code {
        grant: row.id()?,
        client_id: row.id()?,
        user: row.id()?,
        team: row.optional_id()?,
        redirect_uri: row.text()?,
        redirect_uri_named: row.flag()?,
        code_challenge: row.optional_text()?,
        scopes: row.json()?,
        resources: row.json()?,
        nonce: row.optional_text()?,
        auth_time: row.time()?,
        issued_at: row.time()?,
        expires_at: row.time()?,
        redeemed: row.optional_id()?,
    })
}

pub(crate) fn family(row: &dyn Columns) -> Result<Family> {
    let mut row = Reader::of("families", family_columns!(), row);
    Ok(Family {
        id: row.id()?,
        grant: row.id()?,
        client_id: row.id()?,
        user: row.id()?,
        team: row.optional_id()?,
        handle: row.optional_hash()?,
        current: row.optional_hash()?,
        generation: row.integer()?,
        scopes: row.json()?,
        resources: row.json()?,
        auth_time: row.time()?,
        created_at: row.time()?,
        idle_until: row.time()?,
        ends_at: row.time()?,
    })
}

pub(crate) fn access_token(row: &dyn Columns) -> Result<AccessToken> {
    let mut row = Reader::of("access_tokens", access_token_columns!(), row).key(2);
    Ok(AccessToken {
        client_id: row.id()?,
        family: row.optional_id()?,
        user: row.optional_id()?,
        team: row.optional_id()?,
        scopes: row.json()?,
        audience: row.json()?,
        issued_at: row.time()?,
        expires_at: row.time()?,
    })
}

/// Reads `answer`.
pub(crate) fn answer(row: &dyn Columns) -> Result<Vec<u8>> {
    Reader::of("refresh_answers", "answer", row).octets()
}

/// The parameters for `code_columns`, then the code.
pub(crate) fn code_values(code: &TokenHash, record: &Code) -> Result<Vec<Value>> {
    Ok(vec![
        Value::word(record.grant),
        Value::word(&record.client_id),
        Value::word(record.user),
        record.team.as_ref().map(Value::word).into(),
        Value::text("codes.redirect_uri", &record.redirect_uri)?,
        i64::from(record.redirect_uri_named).into(),
        optional_text("codes.code_challenge", record.code_challenge.as_deref())?,
        Value::json("codes.scopes", &record.scopes)?,
        Value::json("codes.resources", &record.resources)?,
        optional_text("codes.nonce", record.nonce.as_deref())?,
        record.auth_time.into(),
        record.issued_at.into(),
        record.expires_at.into(),
        record.redeemed.map(Value::word).into(),
        Value::hash(code),
    ])
}

/// The parameters for `family_columns`, then `over_at`, where its first access token ends at `access_ends`.
pub(crate) fn family_values(family: &Family, access_ends: Timestamp) -> Result<Vec<Value>> {
    Ok(vec![
        Value::word(family.id),
        Value::word(family.grant),
        Value::word(&family.client_id),
        Value::word(family.user),
        family.team.as_ref().map(Value::word).into(),
        family.handle.as_ref().map(Value::hash).into(),
        family.current.as_ref().map(Value::hash).into(),
        family.generation.into(),
        Value::json("families.scopes", &family.scopes)?,
        Value::json("families.resources", &family.resources)?,
        family.auth_time.into(),
        family.created_at.into(),
        family.idle_until.into(),
        family.ends_at.into(),
        family.idle_until.min(family.ends_at).max(access_ends).into(),
    ])
}

/// The parameters for `access_token_columns`, then the token. Which family it goes with is not left to the record.
pub(crate) fn access_token_values(
    token: &TokenHash,
    family: Option<&FamilyId>,
    record: &AccessToken,
) -> Result<Vec<Value>> {
    Ok(vec![
        Value::word(&record.client_id),
        family.map(Value::word).into(),
        record.user.map(Value::word).into(),
        record.team.as_ref().map(Value::word).into(),
        Value::json("access_tokens.scopes", &record.scopes)?,
        Value::json("access_tokens.audience", &record.audience)?,
        record.issued_at.into(),
        record.expires_at.into(),
        Value::hash(token),
    ])
}

/// The parameters of a rotation: family, the token that is spent, the next one, until when that has to be used, when its
/// access token ends, now, the answer and until when that is kept.
pub(crate) fn rotation_values(rotation: &Rotation, now: Timestamp) -> [Value; 8] {
    let (answer, kept_until) = rotation.answer.clone().unzip();
    [
        Value::word(rotation.family),
        Value::hash(&rotation.spent),
        Value::hash(&rotation.next),
        rotation.idle_until.into(),
        rotation.access.expires_at.into(),
        now.into(),
        answer.map(Value::Octets).into(),
        kept_until.into(),
    ]
}
