//! The people who have an account here. Any other name that the control gives becomes one too.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::Serialize;

/// A person with an account at the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// What the consent page offers, as (name, address); the first is chosen when nobody says otherwise.
const RESIDENTS: [(&str, &str); 3] =
    [("Anna Tamm", "anna@example.com"), ("Jaan Kask", "jaan@example.com"), ("Mari Lepp", "mari@example.com")];

/// How many characters an account may be named by.
const MAX_NAME: usize = 128;

impl Account {
    /// The accounts that the consent page offers.
    pub(crate) fn residents() -> Vec<Self> {
        RESIDENTS.iter().map(|(name, email)| Self::new(name, email)).collect()
    }

    /// The account with this id or address; any other name makes one whose id depends on the name alone.
    /// Fails with a sentence when the name is empty, longer than 128 characters or has control characters.
    pub(crate) fn named(text: &str) -> Result<Self, &'static str> {
        if let Some(resident) = Self::residents().into_iter().find(|account| account.answers_to(text)) {
            return Ok(resident);
        }
        if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
            return Err("an account is named by 1 to 128 characters, none of them a control character");
        }
        let name = text.split('@').next().unwrap_or(text);
        let email = if text.contains('@') { text.to_owned() } else { format!("{text}@example.com") };
        Ok(Self::new(name, &email))
    }

    /// Whether this is the account's id or address.
    pub(crate) fn answers_to(&self, text: &str) -> bool {
        self.id == text || self.email.eq_ignore_ascii_case(text)
    }

    fn new(name: &str, email: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, email.to_ascii_lowercase().as_bytes());
        let id = format!("acct_{}", &HEXLOWER.encode(digest.as_ref())[..12]);
        Self { id, name: name.to_owned(), email: email.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_keeps_its_id_and_no_two_share_one() {
        let anna = Account::named("anna@example.com").unwrap();
        assert_eq!(anna, Account::named(&anna.id).unwrap());
        assert_eq!(anna.name, "Anna Tamm");
        let stranger = Account::named("peeter").unwrap();
        assert_eq!(stranger, Account::named("peeter@example.com").unwrap());
        assert_ne!(stranger.id, anna.id);
    }

    #[test]
    fn a_name_that_no_page_could_show_is_refused() {
        for bad in ["", "a\nb", &"x".repeat(129)] {
            assert!(Account::named(bad).is_err(), "{bad:?}");
        }
    }
}
