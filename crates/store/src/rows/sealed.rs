//! Sealed values: the statements that both engines share but for the spelling of parameters, and how rows are read.

use crate::Result;
use crate::columns::{Columns, Reader};
use crate::credentials::SealedTokens;
use crate::sealed::{Held, SealedRow, Table};
use crate::value::Value;

/// Defines `page`, `count` and `replace`, which give a table's statement. Parameters are spelled as given; `$same` compares
/// values that may be NULL.
macro_rules! sealed_statements {
    ($one:literal $two:literal $three:literal $four:literal $five:literal $six:literal $seven:literal, $same:literal) => {
        const fn page(table: Table) -> &'static str {
            macro_rules! one_key {
                ($table:literal, $sealed_to:literal, $columns:literal, $present:literal) => {
                    concat!(
                        "SELECT id, ", $sealed_to, ", ", $columns, " FROM ", $table, " WHERE id > ", $one,
                        " AND ", $present, " ORDER BY id LIMIT ", $two
                    )
                };
            }
            match table {
                Table::RefreshJournal => concat!(
                    "SELECT credential, fence, credential, answer FROM refresh_journal \
                     WHERE (credential, fence) > (", $one, ", ", $two, ") AND answer IS NOT NULL \
                     ORDER BY credential, fence LIMIT ", $three
                ),
                Table::Drills => concat!(
                    "SELECT credential, credential, refresh_token FROM drills WHERE credential > ", $one,
                    " ORDER BY credential LIMIT ", $two
                ),
                Table::Integrations => concat!(
                    "SELECT subject, id, CASE subject WHEN '' THEN id ELSE id || '/' || subject END, client_secret \
                     FROM integrations WHERE (subject, id) > (", $one, ", ", $two, ") AND client_secret IS NOT NULL \
                     ORDER BY subject, id LIMIT ", $three
                ),
                Table::Credentials => one_key!(
                    "credentials", "id", "access_token, refresh_token, extra",
                    "(access_token IS NOT NULL OR refresh_token IS NOT NULL OR extra IS NOT NULL)"
                ),
                Table::Revocations => one_key!(
                    "revocations", "credential", "access_token, refresh_token",
                    "(access_token IS NOT NULL OR refresh_token IS NOT NULL)"
                ),
                Table::Attempts => one_key!("attempts", "id", "code_verifier", "code_verifier IS NOT NULL"),
                Table::PortalSessions => one_key!("portal_sessions", "id", "email", "email IS NOT NULL"),
                Table::Mails => one_key!("mails", "id", "link_token", "link_token IS NOT NULL"),
                Table::SigningKeys => one_key!("signing_keys", "id", "private_key", "private_key IS NOT NULL"),
            }
        }

        const fn count(table: Table) -> &'static str {
            match table {
                Table::RefreshJournal => "SELECT count(*) FROM refresh_journal WHERE answer IS NOT NULL",
                Table::Drills => "SELECT count(*) FROM drills",
                Table::Credentials => "SELECT count(*) FROM credentials \
                    WHERE access_token IS NOT NULL OR refresh_token IS NOT NULL OR extra IS NOT NULL",
                Table::Revocations => "SELECT count(*) FROM revocations \
                    WHERE access_token IS NOT NULL OR refresh_token IS NOT NULL",
                Table::Integrations => "SELECT count(*) FROM integrations WHERE client_secret IS NOT NULL",
                Table::Attempts => "SELECT count(*) FROM attempts WHERE code_verifier IS NOT NULL",
                Table::PortalSessions => "SELECT count(*) FROM portal_sessions WHERE email IS NOT NULL",
                Table::Mails => "SELECT count(*) FROM mails WHERE link_token IS NOT NULL",
                Table::SigningKeys => "SELECT count(*) FROM signing_keys",
            }
        }

        const fn replace(table: Table) -> &'static str {
            macro_rules! one_value {
                ($table:literal, $column:literal) => {
                    concat!(
                        "UPDATE ", $table, " SET ", $column, " = ", $two, " WHERE id = ", $one,
                        " AND ", $column, " = ", $three
                    )
                };
            }
            match table {
                Table::RefreshJournal => concat!(
                    "UPDATE refresh_journal SET answer = ", $three, " WHERE credential = ", $one,
                    " AND fence = ", $two, " AND answer = ", $four
                ),
                Table::Drills => concat!(
                    "UPDATE drills SET refresh_token = ", $two, " WHERE credential = ", $one,
                    " AND refresh_token = ", $three
                ),
                Table::Credentials => concat!(
                    "UPDATE credentials SET access_token = ", $two, ", refresh_token = ", $three,
                    ", extra = ", $four, " WHERE id = ", $one, " AND access_token ", $same, " ", $five,
                    " AND refresh_token ", $same, " ", $six, " AND extra ", $same, " ", $seven
                ),
                Table::Revocations => concat!(
                    "UPDATE revocations SET access_token = ", $two, ", refresh_token = ", $three,
                    " WHERE id = ", $one, " AND access_token ", $same, " ", $four,
                    " AND refresh_token ", $same, " ", $five
                ),
                Table::Integrations => concat!(
                    "UPDATE integrations SET client_secret = ", $three, " WHERE subject = ", $one,
                    " AND id = ", $two, " AND client_secret = ", $four
                ),
                Table::Attempts => one_value!("attempts", "code_verifier"),
                Table::PortalSessions => one_value!("portal_sessions", "email"),
                Table::Mails => one_value!("mails", "link_token"),
                Table::SigningKeys => one_value!("signing_keys", "private_key"),
            }
        }

        const OPEN_CALLS: &str = concat!(
            "SELECT count(*) FROM refresh_journal WHERE started_at >= ",
            $one,
            " AND started_at < ",
            $two
        );
    };
}
pub(crate) use sealed_statements;

pub(crate) fn row(table: Table, row: &dyn Columns) -> Result<SealedRow> {
    let mut row = Reader::of(table.word(), "the key, what it is sealed to, the values", row);
    let mut key = vec![Value::Text(row.text()?)];
    match table {
        Table::RefreshJournal => key.push(row.integer()?.into()),
        Table::Integrations => key.push(Value::Text(row.text()?)),
        _ => {}
    }
    let sealed_to = row.text()?;
    if table == Table::RefreshJournal {
        let text = row.text()?;
        let tokens: Option<SealedTokens> = serde_json::from_str(&text).ok();
        let values = tokens.as_ref().map_or_else(
            // Nothing sealed begins like JSON, so it is found not to open.
            || vec![Some(vault::AnySealed::from_row::<model::AccessToken>(text.clone().into_bytes()))],
            |tokens| tokens.values().to_vec(),
        );
        return Ok(SealedRow {
            table,
            key,
            sealed_to,
            values,
            held: Held::Answer(text, tokens.map(Box::new)),
        });
    }
    let values = table.kinds().iter().map(|kind| Ok(row.optional_octets()?.map(kind)));
    let values = values.collect::<Result<_>>()?;
    Ok(SealedRow { table, key, sealed_to, values, held: Held::Octets })
}

/// Reads a count.
pub(crate) fn number(row: &dyn Columns) -> Result<i64> {
    Reader::of("the table", "count", row).integer()
}
