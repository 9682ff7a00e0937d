//! Addresses that every mail server takes (RFC 5321 §4.1.2), narrower than what the grammar would allow.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lettre::Address;

/// RFC 5321 §4.5.3.1.3 allows a path of 256 octets, of which two are its angle brackets.
const MAX_ADDRESS: usize = 254;

/// RFC 5321 §4.5.3.1.1.
const MAX_LOCAL_PART: usize = 64;

/// The longest name beside an address, in characters.
const MAX_NAME: usize = 100;

/// Text that is no address to which mail is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct InvalidAddress {
    /// The rule that it breaks, as a clause: "it has no @".
    pub rule: &'static str,
}

/// A checked mail address: ASCII, with its domain in lower-case A-labels (RFC 5890). It does not print itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MailAddress(Address);

impl MailAddress {
    /// The whole address, for an envelope or to be sealed.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(super) fn local_part(&self) -> &str {
        self.0.user()
    }

    pub(super) fn as_lettre(&self) -> Address {
        self.0.clone()
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[address]")
    }
}

impl FromStr for MailAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        parse(text).map(Self).map_err(|rule| InvalidAddress { rule })
    }
}

fn parse(text: &str) -> Result<Address, &'static str> {
    if text.len() > MAX_ADDRESS {
        return Err("it is longer than 254 octets");
    }
    if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return Err("it holds a space, a line break or another control character");
    }
    let (local, domain) = text.split_once('@').ok_or("it has no @")?;
    if domain.contains('@') {
        return Err("it has more than one @");
    }
    check_local_part(local)?;
    let domain = ascii_domain(domain)?;
    if local.len() + 1 + domain.len() > MAX_ADDRESS {
        return Err("it is longer than 254 octets");
    }
    // It is stricter than RFC 5321 in places of its own, so its word counts too.
    Address::new(local, domain).map_err(|_| "it is none that mail servers take")
}

/// A `Dot-string` (RFC 5321 §4.1.2).
fn check_local_part(local: &str) -> Result<(), &'static str> {
    if !local.is_ascii() {
        // SMTPUTF8 (RFC 6531) would carry it, but only where every server on the way has it.
        return Err("the part before the @ has letters beyond ASCII, which not every mail server takes");
    }
    if local.len() > MAX_LOCAL_PART {
        return Err("the part before the @ is longer than 64 octets");
    }
    if local.contains(['"', '(', ')', '\\', '<', '>']) {
        return Err("quotes, brackets and comments are not taken before the @");
    }
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    if local.split('.').all(is_atom) {
        Ok(())
    } else {
        Err("the part before the @ is empty, or has a dot or another character in a wrong place")
    }
}

/// The domain as the DNS knows it (UTS 46, RFC 5891).
fn ascii_domain(domain: &str) -> Result<String, &'static str> {
    if domain.starts_with('[') || domain.parse::<IpAddr>().is_ok() {
        return Err("it names a network address instead of a domain");
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| "the part after the @ is no domain")?;
    match domain.rsplit_once('.') {
        None => Err("the domain has no dot"),
        // No top-level domain is a number (RFC 3696 §2), and some resolvers read such names as network addresses.
        Some((_, last)) if last.bytes().all(|octet| octet.is_ascii_digit()) => {
            Err("it names a network address instead of a domain")
        }
        Some(_) => Ok(domain),
    }
}

/// An address, and what a mail program shows instead of it: `Rowan <hello@rowan.example>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, if it has one.
    pub name: Option<String>,
    /// The address.
    pub address: MailAddress,
}

impl FromStr for Mailbox {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let breaks = |rule| Err(InvalidAddress { rule });
        let text = text.trim();
        let Some((name, rest)) = text.split_once('<') else {
            return Ok(Self { name: None, address: text.parse()? });
        };
        let Some(address) = rest.strip_suffix('>') else {
            return breaks("it has a < without a > at its end");
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        if name.chars().count() > MAX_NAME || name.contains(char::is_control) {
            return breaks("the name has more than 100 characters, or a control character");
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { name, address: address.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_as_people_write_it_is_taken() {
        let cases = [
            ("anna@rowan.example", "anna@rowan.example"),
            ("Anna.Tamm+claviger@Mail.Rowan.EXAMPLE", "Anna.Tamm+claviger@mail.rowan.example"),
            ("o'brien_7@a-b.co.uk", "o'brien_7@a-b.co.uk"),
            ("mari@õunapuu.ee", "mari@xn--unapuu-oxa.ee"),
            ("info@пример.рф", "info@xn--e1afmkfd.xn--p1ai"),
            ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<MailAddress>().as_ref().map(MailAddress::as_str), Ok(expected), "{text}");
        }
        let longest = format!("{}@{}.example", "a".repeat(64), "b".repeat(63));
        assert_eq!(longest.parse::<MailAddress>().unwrap().as_str(), longest);
    }

    #[test]
    fn what_could_carry_more_than_an_address_is_refused_with_its_rule() {
        let long_label = format!("a@{}.example", "b".repeat(64));
        let long_local = format!("{}@rowan.example", "a".repeat(65));
        let long = format!("a@{}example", "bcdefghi.".repeat(28));
        let huge = format!("{}@rowan.example", "a".repeat(10 * 1024));
        // Short enough as it is written, too long as it is sent.
        let long_in_ascii = format!("{}@{}example", "a".repeat(60), "õäöü.".repeat(18));
        let cases = [
            ("", "no @"),
            ("anna", "no @"),
            ("@rowan.example", "before the @ is empty"),
            ("anna@", "no domain"),
            ("anna@@rowan.example", "more than one @"),
            ("anna@evil.example@rowan.example", "more than one @"),
            ("a@b.example\r\nBcc: all@rowan.example", "line break"),
            ("a@b.example\nRCPT TO:<c@d.example>", "line break"),
            ("a@b.example\r", "line break"),
            ("a\0@b.example", "control character"),
            ("a@b.example\u{7f}", "control character"),
            ("a b@rowan.example", "space"),
            ("a@b.example ", "space"),
            ("a@b\u{2028}.example", "line break"),
            ("a@b.example>", "no domain"),
            ("<a@b.example>", "brackets"),
            ("Anna<a@b.example", "brackets"),
            ("\"a b\"@rowan.example", "space"),
            ("\"a\"@rowan.example", "quotes"),
            ("a(comment)@rowan.example", "comments"),
            ("a,b@rowan.example", "another character"),
            ("a;b@rowan.example", "another character"),
            (".a@rowan.example", "dot"),
            ("a.@rowan.example", "dot"),
            ("a..b@rowan.example", "dot"),
            ("mari.õun@rowan.example", "beyond ASCII"),
            ("a\u{202e}b@rowan.example", "beyond ASCII"),
            ("a@ro\u{202e}wan.example", "no domain"),
            ("a@ro\u{2066}wan.example", "no domain"),
            ("a＠b@rowan.example", "beyond ASCII"),
            ("a@b＠rowan.example", "no domain"),
            ("a@[127.0.0.1]", "network address"),
            ("a@[IPv6:::1]", "network address"),
            ("a@127.0.0.1", "network address"),
            ("a@0x7f.1", "network address"),
            ("a@localhost", "no dot"),
            ("a@rowan.example.", "no domain"),
            ("a@.example", "no domain"),
            ("a@-rowan.example", "no domain"),
            ("a@ro_wan.example", "no domain"),
            ("a@ro%0dwan.example", "no domain"),
            ("a@xn--a-ecp.example", "no domain"),
            (&long_label, "no domain"),
            (&long_local, "64 octets"),
            (&long, "254 octets"),
            (&huge, "254 octets"),
            (&long_in_ascii, "254 octets"),
        ];
        for (text, rule) in cases {
            let error = text.parse::<MailAddress>().expect_err(text).to_string();
            assert!(error.contains(rule), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_address_does_not_print_itself() {
        let mailbox: Mailbox = "Rowan <anna@rowan.example>".parse().unwrap();
        let printed = format!("{mailbox:?} {:?}", mailbox.address);
        assert!(!printed.contains("anna") && !printed.contains("rowan.example"), "{printed}");
    }

    #[test]
    fn a_mailbox_may_have_a_name() {
        let name = |text: &str| text.parse::<Mailbox>().map(|mailbox| mailbox.name);
        assert_eq!(name("hello@rowan.example"), Ok(None));
        assert_eq!(name("<hello@rowan.example>"), Ok(None));
        assert_eq!(name("Rowan <hello@rowan.example>"), Ok(Some("Rowan".to_owned())));
        assert_eq!(name("\"Õun, OÜ\" <hello@rowan.example>"), Ok(Some("Õun, OÜ".to_owned())));
        for text in
            ["Rowan <hello@rowan.example", "Rowan", "Ro\r\nwan <hello@rowan.example>", "A <b> <c@d.example>"]
        {
            assert!(name(text).is_err(), "{text:?}");
        }
        assert!(name(&format!("{} <hello@rowan.example>", "a".repeat(101))).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_fits_into_a_command(text in r"[a-zA-Z0-9@.<>\r\n\x00 õю\u{202e}＠。_+-]{0,40}|\PC{0,300}") {
            if let Ok(address) = text.parse::<MailAddress>() {
                let written = address.as_str();
                prop_assert!(written.len() <= 254 && written.bytes().all(|octet| octet.is_ascii_graphic()));
                prop_assert_eq!(written.matches('@').count(), 1);
                prop_assert!(!written.contains(['<', '>', '"', ',', ';', ':', '[']));
                prop_assert_eq!(written.parse::<MailAddress>(), Ok(address));
            }
        }
    }
}
