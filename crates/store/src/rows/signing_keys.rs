//! Rows and records of signing keys, both ways.

use crate::Result;
use crate::columns::{Columns, Reader};
use crate::signing_keys::SigningKeyRow;
use crate::value::Value;

columns! {
    /// Read by [`signing_key`].
    signing_key_columns = "id, algorithm, private_key, public_key, created_at, signs_from, published_until";
}

pub(crate) fn signing_key(row: &dyn Columns) -> Result<SigningKeyRow> {
    let mut row = Reader::of("signing_keys", signing_key_columns!(), row);
    Ok(SigningKeyRow {
        id: row.id()?,
        algorithm: row.text()?,
        private_key: row.optional_sealed()?.ok_or_else(|| row.corrupt("it is empty"))?,
        public_key: row.json()?,
        created_at: row.time()?,
        signs_from: row.time()?,
        published_until: row.optional_time()?,
    })
}

/// The parameters for `signing_key_columns` of a key that is the newest, and so has no end.
pub(crate) fn newest_values(key: &SigningKeyRow) -> Result<[Value; 7]> {
    Ok([
        Value::word(key.id),
        Value::text("signing_keys.algorithm", &key.algorithm)?,
        Value::sealed(&key.private_key),
        Value::json("signing_keys.public_key", &key.public_key)?,
        key.created_at.into(),
        key.signs_from.into(),
        Value::Null,
    ])
}
