//! Reads one row, whichever engine it came from, column by column.

use std::str::FromStr;

use model::{ReconnectReason, Timestamp};
use serde::de::DeserializeOwned;
use vault::chain::ChainHash;
use vault::{Sealable, Sealed, TokenHash};

use crate::{Error, Result};

/// How many characters of a damaged row's key an error quotes.
const LONGEST_KEY: usize = 80;

/// One row of an answer, as an engine gives it. An `Err` tells what the column holds instead.
pub(crate) trait Columns {
    fn text(&self, column: usize) -> std::result::Result<Option<String>, String>;
    fn integer(&self, column: usize) -> std::result::Result<Option<i64>, String>;
    fn octets(&self, column: usize) -> std::result::Result<Option<Vec<u8>>, String>;
}

/// Reads a row's columns one after the other, in the order of the record's column list.
pub(crate) struct Reader<'a> {
    table: &'static str,
    columns: &'static str,
    /// How many columns, from the first, tell which row it is.
    key: usize,
    row: &'a dyn Columns,
    next: usize,
}

impl<'a> Reader<'a> {
    /// Reads a row of `table`, whose statement asks for `columns`, the first of which is its key.
    pub(crate) fn of(table: &'static str, columns: &'static str, row: &'a dyn Columns) -> Self {
        Self { table, columns, key: 1, row, next: 0 }
    }

    /// The key is the first `columns`.
    pub(crate) fn key(self, columns: usize) -> Self {
        Self { key: columns, ..self }
    }

    /// Says which row it is, and that the column that was read last holds what it must not.
    pub(crate) fn corrupt(&self, what: &str) -> Error {
        let key: Vec<String> = (0..self.key)
            .map(|column| match (self.row.text(column), self.row.integer(column)) {
                (Ok(Some(text)), _) => format!("{:?}", text.chars().take(LONGEST_KEY).collect::<String>()),
                (_, Ok(Some(number))) => number.to_string(),
                _ => "?".to_owned(),
            })
            .collect();
        let column = self.columns.split(',').nth(self.next.saturating_sub(1)).unwrap_or_default().trim();
        Error::Corrupt { table: self.table, what: format!("row {}, column {column}: {what}", key.join(" ")) }
    }

    /// The next column's value, in the way that `get` gets it.
    fn take<T>(
        &mut self,
        get: impl FnOnce(&dyn Columns, usize) -> std::result::Result<Option<T>, String>,
    ) -> Result<Option<T>> {
        let column = self.next;
        self.next += 1;
        get(self.row, column).map_err(|what| self.corrupt(&what))
    }

    /// Passes over the next `columns`.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    fn present<T>(&self, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.corrupt("it is empty"))
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>> {
        self.take(|row, column| row.text(column))
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        let text = self.optional_text()?;
        self.present(text)
    }

    pub(crate) fn optional_integer(&mut self) -> Result<Option<i64>> {
        self.take(|row, column| row.integer(column))
    }

    pub(crate) fn integer(&mut self) -> Result<i64> {
        let number = self.optional_integer()?;
        self.present(number)
    }

    pub(crate) fn optional_octets(&mut self) -> Result<Option<Vec<u8>>> {
        self.take(|row, column| row.octets(column))
    }

    pub(crate) fn octets(&mut self) -> Result<Vec<u8>> {
        let octets = self.optional_octets()?;
        self.present(octets)
    }

    pub(crate) fn flag(&mut self) -> Result<bool> {
        Ok(self.integer()? != 0)
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.optional_integer()?.map(Timestamp::from_unix_ms))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp> {
        self.integer().map(Timestamp::from_unix_ms)
    }

    pub(crate) fn optional_id<T: FromStr<Err = model::InvalidId>>(&mut self) -> Result<Option<T>> {
        let text = self.optional_text()?;
        text.map(|text| text.parse::<T>()).transpose().map_err(|error| self.corrupt(&error.to_string()))
    }

    pub(crate) fn id<T: FromStr<Err = model::InvalidId>>(&mut self) -> Result<T> {
        let id = self.optional_id()?;
        self.present(id)
    }

    pub(crate) fn optional_word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        let text = self.optional_text()?;
        text.map(|text| read(&text).ok_or_else(|| self.corrupt("an unknown word"))).transpose()
    }

    pub(crate) fn word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let word = self.optional_word(read)?;
        self.present(word)
    }

    pub(crate) fn optional_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let text = self.optional_text()?;
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
            // serde_json's message may quote the value; its place is enough.
            self.corrupt(&format!("not the JSON that belongs there (character {})", error.column()))
        })
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let value = self.optional_json()?;
        self.present(value)
    }

    pub(crate) fn optional_sealed<T: Sealable>(&mut self) -> Result<Option<Sealed<T>>> {
        Ok(self.optional_octets()?.map(Sealed::from_row))
    }

    pub(crate) fn optional_hash(&mut self) -> Result<Option<TokenHash>> {
        let octets = self.optional_octets()?;
        octets
            .map(|octets| TokenHash::from_row(&octets).ok_or_else(|| self.corrupt("not 32 octets")))
            .transpose()
    }

    pub(crate) fn chain_hash(&mut self) -> Result<ChainHash> {
        let octets = self.octets()?;
        octets.try_into().map_err(|_| self.corrupt("not 32 octets"))
    }

    pub(crate) fn broken(&mut self) -> Result<Option<(Timestamp, ReconnectReason)>> {
        let since = self.optional_time()?;
        let reason = self.optional_word(ReconnectReason::from_word)?;
        match (since, reason) {
            (Some(since), Some(reason)) => Ok(Some((since, reason))),
            (None, None) => Ok(None),
            _ => Err(self.corrupt("broken without time or reason")),
        }
    }
}
