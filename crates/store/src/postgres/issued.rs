//! Ends what was issued on grants.
//!
//! Deeds that end many at once can meet on the same rows, so all take them in one order and none waits in a circle: the
//! grants by their ids, then their codes, then their families. The grants are held in a way that lets whoever redeems a code go
//! on; when its code is gone too, nobody redeems one any more, and its family is seen. No grant comes
//! meanwhile: it needs the user, or the application, whoever of them is being dealt with.

use deadpool_postgres::Transaction;

use super::{execute, query};
use crate::Result;
use crate::value::Value;

/// The grants that are meant, by the statement that takes them.
pub(super) struct Issued(&'static str);

macro_rules! issued {
    ($grants:literal) => {
        Issued(concat!("SELECT id FROM grants WHERE ", $grants, " ORDER BY id FOR NO KEY UPDATE"))
    };
}

/// Of those that were taken; their ids come as one text.
macro_rules! taken {
    ($column:literal, $table:literal) => {
        concat!("DELETE FROM ", $table, " WHERE ", $column, " = ANY(string_to_array($1, ' '))")
    };
}
const END_CODES: &str = taken!("grant_id", "codes");
const END_FAMILIES: &str = taken!("grant_id", "families");
const END_GRANTS: &str = taken!("id", "grants");

/// An application's. The parameter: its client id.
pub(super) const OF_APPLICATION: Issued = issued!("client_id = $1");
/// A user's. The parameter: the user.
pub(super) const OF_USER: Issued = issued!("\"user\" = $1");
/// A user's that act for a team. The parameters: the user, the team.
pub(super) const OF_USER_IN_TEAM: Issued = issued!("\"user\" = $1 AND team = $2");

impl Issued {
    /// Takes the grants, before some of them are ended one after the other.
    pub(super) async fn hold(&self, transaction: &Transaction<'_>, values: &[Value]) -> Result<[Value; 1]> {
        let rows = query(transaction, self.0, values).await?;
        let ids = rows.iter().map(|row| row.try_get(0)).collect::<std::result::Result<Vec<&str>, _>>()?;
        Ok([Value::word(ids.join(" "))])
    }

    /// Ends codes and families with their tokens; the consents stay. Tells how many families it ended.
    pub(super) async fn end(&self, transaction: &Transaction<'_>, values: &[Value]) -> Result<u64> {
        let taken = self.hold(transaction, values).await?;
        end(transaction, &taken).await
    }

    /// Ends the consents too.
    pub(super) async fn withdraw(&self, transaction: &Transaction<'_>, values: &[Value]) -> Result<()> {
        let taken = self.hold(transaction, values).await?;
        end(transaction, &taken).await?;
        execute(transaction, END_GRANTS, &taken).await.map(drop)
    }
}

async fn end(transaction: &Transaction<'_>, taken: &[Value; 1]) -> Result<u64> {
    execute(transaction, END_CODES, taken).await?;
    execute(transaction, END_FAMILIES, taken).await
}
