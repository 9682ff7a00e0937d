//! Accounts, as providers number them. Each is made of the sandbox's own id, so that it stays the same.

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;

use crate::account::Account;

/// The hexadecimal end of the account's id.
fn digits(account: &Account) -> &str {
    account.id.rsplit('_').next().unwrap_or_default()
}

/// A whole number of at most 15 digits.
pub(crate) fn number(account: &Account) -> u64 {
    u64::from_str_radix(digits(account), 16).unwrap_or_default()
}

/// Capital letters and digits behind a prefix.
pub(crate) fn capitals(prefix: &str, account: &Account) -> String {
    format!("{prefix}{}", digits(account).to_uppercase())
}

/// RFC 9562, in form.
pub(crate) fn guid(account: &Account) -> String {
    format!("00000000-0000-4000-8000-{}", digits(account))
}

/// The name before the `@`, with hyphens for what is neither letter nor digit.
pub(crate) fn handle(account: &Account) -> String {
    let name = account.email.split('@').next().unwrap_or_default();
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// First name and the rest.
pub(crate) fn names(account: &Account) -> (&str, &str) {
    account.name.split_once(' ').unwrap_or((account.name.as_str(), ""))
}

/// A random id of a request, in the form of RFC 9562.
pub(crate) fn request_id() -> String {
    let mut octets = [0; 16];
    rand::fill(&mut octets).expect("the operating system gives randomness, or the process must not go on");
    let hex = HEXLOWER.encode(&octets);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_numbered_in_each_providers_way() {
        let anna = Account::named("anna@example.com").unwrap();
        assert_eq!(format!("acct_{:012x}", number(&anna)), anna.id);
        assert_eq!(capitals("U", &anna).to_lowercase(), format!("u{}", digits(&anna)));
        assert_eq!((guid(&anna).len(), request_id().len()), (36, 36));
        assert_eq!(handle(&Account::named("a.b@example.com").unwrap()), "a-b");
        assert_eq!(names(&anna), ("Anna", "Tamm"));
    }
}
