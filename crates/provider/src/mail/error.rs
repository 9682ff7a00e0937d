//! What it means that a letter did not go out, and how a mail server says it.

use std::fmt;

use lettre::transport::smtp::Error as SmtpError;

use super::address::MailAddress;

/// The most of a server's words that is kept, in characters.
const MOST_SAID: usize = 200;

/// A part of an address that is shorter stands in too many words to be looked for inside them.
const TELLING: usize = 4;

/// Why a letter did not go out, by what is to be done.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// For good: this letter will not be taken from this sender for this recipient.
    #[error("{0}")]
    Refused(Failure),
    /// For now: trying again later may help.
    #[error("{0}")]
    Unavailable(Failure),
    /// The whole letter was handed over, and nothing was said about it: it may have been taken (RFC 5321 §4.5.3.2.6).
    #[error("{0}")]
    Unanswered(Failure),
    /// For good until the operator changes something, here or at the mail server.
    #[error("{0}")]
    Configuration(Failure),
}

/// What happened. It holds neither an address nor a password.
#[derive(Debug)]
pub struct Failure {
    /// In our words, as a sentence without its full stop.
    pub what: &'static str,
    /// The server's reply code (RFC 5321 §4.2), if it came to one.
    pub code: Option<u16>,
    /// What the server or the TLS library says to it: one line of at most 200 characters, without addresses.
    pub said: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        match (self.code, &self.said) {
            (Some(code), Some(said)) => write!(f, " ({code} {said})"),
            (Some(code), None) => write!(f, " ({code})"),
            (None, Some(said)) => write!(f, " ({said})"),
            (None, None) => Ok(()),
        }
    }
}

impl MailError {
    /// The stable word for it: `refused`, `unavailable`, `unanswered` or `configuration`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Unanswered(_) => "unanswered",
            Self::Configuration(_) => "configuration",
        }
    }

    /// What happened.
    pub const fn failure(&self) -> &Failure {
        match self {
            Self::Refused(failure)
            | Self::Unavailable(failure)
            | Self::Unanswered(failure)
            | Self::Configuration(failure) => failure,
        }
    }

    pub(super) const fn unavailable(what: &'static str) -> Self {
        Self::Unavailable(Failure { what, code: None, said: None })
    }

    pub(super) const fn unanswered() -> Self {
        let what = "The mail server has the whole letter and does not say whether it takes it";
        Self::Unanswered(Failure { what, code: None, said: None })
    }

    pub(super) const fn configuration(what: &'static str) -> Self {
        Self::Configuration(Failure { what, code: None, said: None })
    }

    /// A reply that was not the one to go on with. 4xx is for now, 5xx as `permanent` says.
    pub(super) fn reply(step: &Step, code: u16, said: Option<String>) -> Self {
        let failure = Failure { what: step.what, code: Some(code), said };
        match code {
            // RFC 4954 §6: the server wants credentials first, whatever it was asked.
            530 => Self::Configuration(failure),
            500..=599 => (step.permanent)(failure),
            _ => Self::Unavailable(failure),
        }
    }

    /// What lettre says about a command. Its own text is dropped: it quotes the server.
    pub(super) fn command(step: &Step, error: &SmtpError, to: &MailAddress) -> Self {
        let Some(code) = error.status() else {
            return Self::unavailable("The connection to the mail server broke, or what came was not SMTP");
        };
        let said = std::error::Error::source(error).filter(|_| step.quotes).map(ToString::to_string);
        Self::reply(step, code.into(), said.and_then(|said| tidy(&said, Some(to))))
    }
}

/// A step of the conversation: what it means when the server says no.
pub(super) struct Step {
    /// The sentence.
    what: &'static str,
    /// What a 5xx means.
    permanent: fn(Failure) -> MailError,
    /// Whether the server's words may be repeated.
    quotes: bool,
}

impl Step {
    pub(super) const GREETING: Self =
        Self { what: "The mail server does not serve us", permanent: MailError::Configuration, quotes: true };
    pub(super) const STARTTLS: Self = Self {
        what: "The mail server does not begin TLS",
        permanent: MailError::Configuration,
        quotes: true,
    };
    /// A server may quote what it was sent here.
    pub(super) const AUTH: Self = Self {
        what: "The mail server does not accept the user name and password",
        permanent: MailError::Configuration,
        quotes: false,
    };
    pub(super) const SENDER: Self = Self {
        what: "The mail server does not take letters from this sender",
        permanent: MailError::Configuration,
        quotes: true,
    };
    pub(super) const RECIPIENT: Self = Self {
        what: "The mail server does not take letters for this recipient",
        permanent: MailError::Refused,
        quotes: true,
    };
    /// A filter may quote the link that it dislikes.
    pub(super) const CONTENT: Self = Self {
        what: "The mail server does not take this letter",
        permanent: MailError::Refused,
        quotes: false,
    };
}

/// One line of a server's words without what could be an address.
pub(super) fn tidy(text: &str, to: Option<&MailAddress>) -> Option<String> {
    let parts = to.map(|to| [to.local_part().to_lowercase(), to.domain().to_lowercase()]);
    let is_address = |word: &str| {
        let word = word.to_lowercase();
        let tells = |part: &String| {
            word.trim_matches(|c: char| !c.is_alphanumeric()) == part
                || (part.len() >= TELLING && word.contains(part.as_str()))
        };
        word.contains('@') || parts.iter().flatten().any(tells)
    };
    let visible: String = text.chars().map(|c| if is_harmless(c) { c } else { ' ' }).collect();
    let words: Vec<&str> =
        visible.split_whitespace().map(|word| if is_address(word) { "[address]" } else { word }).collect();
    let line: String = words.join(" ").chars().take(MOST_SAID).collect();
    Some(line).filter(|line| !line.is_empty())
}

/// Letters and signs that show themselves: no control characters, and nothing that turns the direction of a log line.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_judged_by_its_step_and_code() {
        let cases = [
            (&Step::RECIPIENT, 550, "refused"),
            (&Step::RECIPIENT, 451, "unavailable"),
            (&Step::RECIPIENT, 530, "configuration"),
            (&Step::SENDER, 553, "configuration"),
            (&Step::CONTENT, 554, "refused"),
            (&Step::CONTENT, 452, "unavailable"),
            (&Step::AUTH, 535, "configuration"),
            (&Step::AUTH, 454, "unavailable"),
            (&Step::STARTTLS, 502, "configuration"),
            (&Step::STARTTLS, 454, "unavailable"),
            (&Step::GREETING, 554, "configuration"),
            (&Step::GREETING, 421, "unavailable"),
            // Not what was asked for, and no refusal either.
            (&Step::CONTENT, 354, "unavailable"),
        ];
        for (step, code, word) in cases {
            let error = MailError::reply(step, code, None);
            assert_eq!((error.word(), error.failure().code), (word, Some(code)), "{error}");
        }
    }

    #[test]
    fn a_servers_words_lose_addresses_line_breaks_and_their_end() {
        let to: MailAddress = "anna.tamm@rowan.example".parse().unwrap();
        let cases = [
            ("5.1.1 <anna.tamm@rowan.example>: no such user", "5.1.1 [address] no such user"),
            ("User Anna.Tamm unknown at ROWAN.example", "User [address] unknown at [address]"),
            ("sender=bob@else.example;", "[address]"),
            ("first\r\nsecond\t\u{1b}[31mred\u{202e}", "first second [31mred"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(tidy(text, Some(&to)).unwrap_or_default(), expected, "{text:?}");
        }
        let short: MailAddress = "me@i.ee".parse().unwrap();
        assert_eq!(tidy("some time: me, i.ee", Some(&short)).unwrap(), "some time: [address] [address]");
        assert_eq!(tidy(&"a ".repeat(5000), None).unwrap().chars().count(), MOST_SAID);
    }
}
