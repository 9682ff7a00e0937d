//! Ends what was issued on grants.
//!
//! Deeds that end many at once can meet on the same rows, so all take them in one order and none waits in a circle: the
//! grants by their ids, then their codes, then their families. The grants are held in a way that lets whoever redeems a code go
//! on; when its code is gone too, nobody redeems one any more, and its family is seen.

use deadpool_postgres::Transaction;

use super::{execute, query};
use crate::Result;
use crate::value::Value;

/// The grants that are meant, by the statements that end them.
pub(super) struct Issued {
    hold: &'static str,
    codes: &'static str,
    families: &'static str,
    grants: &'static str,
}

macro_rules! issued {
    ($grants:literal) => {
        Issued {
            hold: concat!("SELECT 1 FROM grants WHERE ", $grants, " ORDER BY id FOR NO KEY UPDATE"),
            codes: concat!("DELETE FROM codes WHERE grant_id IN (SELECT id FROM grants WHERE ", $grants, ")"),
            families: concat!(
                "DELETE FROM families WHERE grant_id IN (SELECT id FROM grants WHERE ",
                $grants,
                ")"
            ),
            grants: concat!("DELETE FROM grants WHERE ", $grants),
        }
    };
}

/// An application's. The parameter: its client id.
pub(super) const OF_APPLICATION: Issued = issued!("client_id = $1");
/// A user's. The parameter: the user.
pub(super) const OF_USER: Issued = issued!("\"user\" = $1");
/// A user's that act for a team. The parameters: the user, the team.
pub(super) const OF_USER_IN_TEAM: Issued = issued!("\"user\" = $1 AND team = $2");

impl Issued {
    /// Takes the grants, before some of them are ended one after the other.
    pub(super) async fn hold(&self, transaction: &Transaction<'_>, values: &[Value]) -> Result<()> {
        query(transaction, self.hold, values).await.map(drop)
    }

    /// Ends codes and families with their tokens; the consents stay. Tells how many families it ended.
    pub(super) async fn end(&self, transaction: &Transaction<'_>, values: &[Value]) -> Result<u64> {
        self.hold(transaction, values).await?;
        execute(transaction, self.codes, values).await?;
        execute(transaction, self.families, values).await
    }

    /// Ends the consents too.
    pub(super) async fn withdraw(&self, transaction: &Transaction<'_>, values: &[Value]) -> Result<()> {
        self.end(transaction, values).await?;
        execute(transaction, self.grants, values).await.map(drop)
    }
}
