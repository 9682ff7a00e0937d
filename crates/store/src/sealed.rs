//! Everything that is sealed, whatever it is: for work that goes through all of it.

use async_trait::async_trait;
use model::{
    AccessToken, ClientSecret, CodeVerifier, EmailAddress, LinkToken, RefreshToken, SigningKeySecret,
    Timestamp, TokenExtra,
};
use vault::AnySealed;

use crate::Result;
use crate::credentials::SealedTokens;
use crate::value::Value;

/// The tables that hold sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Answers that wait to be adopted.
    RefreshJournal,
    /// Refresh tokens that are set aside.
    Drills,
    /// Tokens.
    Credentials,
    /// Tokens that are to be given back.
    Revocations,
    /// Secrets of apps.
    Integrations,
    /// PKCE verifiers.
    Attempts,
    /// Mail addresses.
    PortalSessions,
    /// Links that are to be mailed.
    Mails,
    /// Private keys that sign what we issue.
    SigningKeys,
}

impl Table {
    /// All of them. Values move only to later ones (an orphan is adopted, what was set aside returns, a
    /// credential is given back), so that whoever goes through the tables in this order misses none.
    pub const ALL: [Self; 9] = [
        Self::RefreshJournal,
        Self::Drills,
        Self::Credentials,
        Self::Revocations,
        Self::Integrations,
        Self::Attempts,
        Self::PortalSessions,
        Self::Mails,
        Self::SigningKeys,
    ];

    /// The table's name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RefreshJournal => "refresh_journal",
            Self::Drills => "drills",
            Self::Credentials => "credentials",
            Self::Revocations => "revocations",
            Self::Integrations => "integrations",
            Self::Attempts => "attempts",
            Self::PortalSessions => "portal_sessions",
            Self::Mails => "mails",
            Self::SigningKeys => "signing_keys",
        }
    }

    /// What each of its columns of sealed octets holds.
    pub(crate) const fn kinds(self) -> &'static [fn(Vec<u8>) -> AnySealed] {
        match self {
            Self::RefreshJournal => &[],
            Self::Drills => &[AnySealed::from_row::<RefreshToken>],
            Self::Credentials => &[
                AnySealed::from_row::<AccessToken>,
                AnySealed::from_row::<RefreshToken>,
                AnySealed::from_row::<TokenExtra>,
            ],
            Self::Revocations => &[AnySealed::from_row::<AccessToken>, AnySealed::from_row::<RefreshToken>],
            Self::Integrations => &[AnySealed::from_row::<ClientSecret>],
            Self::Attempts => &[AnySealed::from_row::<CodeVerifier>],
            Self::PortalSessions => &[AnySealed::from_row::<EmailAddress>],
            Self::Mails => &[AnySealed::from_row::<LinkToken>],
            Self::SigningKeys => &[AnySealed::from_row::<SigningKeySecret>],
        }
    }

    /// The key that comes before every row's.
    pub(crate) fn first_key(self) -> Vec<Value> {
        match self {
            Self::RefreshJournal => vec![Value::word(""), i64::MIN.into()],
            Self::Integrations => vec![Value::word(""), Value::word("")],
            _ => vec![Value::word("")],
        }
    }
}

/// A row's key; pages go on after it.
#[derive(Debug, Clone)]
pub struct RowKey(pub(crate) Vec<Value>);

/// A row with its sealed values.
#[derive(Debug)]
pub struct SealedRow {
    pub(crate) table: Table,
    pub(crate) key: Vec<Value>,
    pub(crate) sealed_to: String,
    pub(crate) values: Vec<Option<AnySealed>>,
    pub(crate) held: Held,
}

/// What the columns of a row hold, as it was read.
#[derive(Debug)]
pub(crate) enum Held {
    /// The octets of the values.
    Octets,
    /// The JSON of an answer; `None` when it is no answer.
    Answer(String, Option<Box<SealedTokens>>),
}

/// A row's values sealed anew, with those that it had.
#[derive(Debug)]
pub struct Replacement {
    pub(crate) table: Table,
    pub(crate) values: Vec<Value>,
}

impl SealedRow {
    /// The row's key.
    pub fn key(&self) -> RowKey {
        RowKey(self.key.clone())
    }

    /// The row as its values are sealed to it.
    pub fn sealed_to(&self) -> &str {
        &self.sealed_to
    }

    /// The row's name for people.
    pub fn name(&self) -> String {
        match self.table {
            Table::Integrations => self.sealed_to.clone(),
            _ => self.key.iter().map(Value::to_text).collect::<Vec<_>>().join("/"),
        }
    }

    /// Its sealed values.
    pub fn values(&self) -> impl Iterator<Item = &AnySealed> {
        self.values.iter().flatten()
    }

    /// The row with these values, each in the place of the value of its field; `None` when there are none.
    pub fn replaced_by(&self, anew: &[AnySealed]) -> Result<Option<Replacement>> {
        if anew.is_empty() {
            return Ok(None);
        }
        let now = |value: &AnySealed| {
            anew.iter().find(|anew| anew.field() == value.field()).unwrap_or(value).as_bytes().to_vec()
        };
        let was = |value: &AnySealed| value.as_bytes().to_vec();
        let column = |octets: Option<Vec<u8>>| octets.map(Value::Octets).into();
        let (new, old) = match &self.held {
            Held::Octets => (
                self.values.iter().map(|value| column(value.as_ref().map(now))).collect(),
                self.values.iter().map(|value| column(value.as_ref().map(was))).collect(),
            ),
            Held::Answer(_, None) => return Ok(None),
            Held::Answer(text, Some(tokens)) => {
                let mut tokens = tokens.clone();
                for value in anew {
                    tokens.put(value);
                }
                (vec![Value::json("refresh_journal.answer", &*tokens)?], vec![Value::word(text)])
            }
        };
        let values: [Vec<Value>; 3] = [self.key.clone(), new, old];
        Ok(Some(Replacement { table: self.table, values: values.concat() }))
    }
}

/// The sealed values of every table.
#[async_trait]
pub trait SealedRows: Send + Sync {
    /// The rows of a table that hold sealed values, after a row in the order of their keys, at most `limit`.
    async fn page(&self, table: Table, after: Option<&RowKey>, limit: u32) -> Result<Vec<SealedRow>>;
    /// How many rows of a table hold sealed values.
    async fn count(&self, table: Table) -> Result<i64>;
    /// Writes values that were sealed anew, where the row still holds what was read. Nothing else of the row changes, nor
    /// of what is in memory of it anywhere: that opens as before. Answers how many rows it wrote.
    async fn replace(&self, rows: Vec<Replacement>) -> Result<u64>;
    /// How many calls of providers that were begun in this time have no end yet. Their answers may still come from the
    /// spool of another machine.
    async fn open_calls(&self, from: Timestamp, until: Timestamp) -> Result<i64>;
}
