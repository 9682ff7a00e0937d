//! A letter, and how it is written for the wire (RFC 5322, RFC 2046 §5.1.4).

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as LettreMailbox, Message, MultiPart};

use super::address::{MailAddress, Mailbox};

/// The longest subject, in characters; mail programs show far fewer.
const MAX_SUBJECT: usize = 200;

/// A letter in one language. It has no `Debug`: its links open doors.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    subject: String,
    text: String,
    html: String,
    language: &'static str,
}

impl Letter {
    /// A letter; `language` is a tag of BCP 47. Line breaks and other control characters of the subject become spaces, so
    /// that no subject makes a header of its own; what is too long for one ends in "…".
    pub fn new(subject: &str, text: String, html: String, language: &'static str) -> Self {
        let visible: String = subject.chars().map(|c| if is_break(c) { ' ' } else { c }).collect();
        let mut subject = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        if subject.chars().count() > MAX_SUBJECT {
            subject = subject.chars().take(MAX_SUBJECT - 1).chain(['…']).collect();
        }
        Self { subject, text, html, language }
    }

    /// The subject, one line.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The letter for those who read text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The letter for those who read HTML.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// BCP 47.
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// The letter as it goes over the wire: ASCII, whatever it says.
    pub(super) fn write(
        &self,
        from: &Mailbox,
        reply_to: Option<&MailAddress>,
        to: &MailAddress,
        message_id: String,
    ) -> Result<Vec<u8>, lettre::error::Error> {
        let plain = |address: &MailAddress| LettreMailbox::new(None, address.as_lettre());
        let mut builder = Message::builder()
            .from(LettreMailbox::new(from.name.clone(), from.address.as_lettre()))
            .to(plain(to))
            .subject(self.subject.clone())
            .date_now()
            .message_id(Some(message_id))
            .raw_header(header("Content-Language", self.language))
            // RFC 3834 §5: no holiday answers to this.
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let Some(reply_to) = reply_to {
            builder = builder.reply_to(plain(reply_to));
        }
        let parts = MultiPart::alternative_plain_html(self.text.clone(), self.html.clone());
        Ok(builder.multipart(parts)?.formatted())
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(subject: &str) -> String {
        let letter = Letter::new(subject, "Tere, Õnne.\n".to_owned(), "<p>Tere, Õnne.</p>".to_owned(), "et");
        let from = "\"Õun, OÜ\" <hello@rowan.example>".parse().unwrap();
        let (answers, to) = ("help@rowan.example".parse().unwrap(), "anna@tamm.example".parse().unwrap());
        let octets = letter.write(&from, Some(&answers), &to, "<1@rowan.example>".to_owned()).unwrap();
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn a_letter_has_all_its_headers_and_is_ascii() {
        let text = written("Kutse");
        assert!(text.is_ascii(), "{text}");
        for line in [
            "To: anna@tamm.example",
            "Reply-To: help@rowan.example",
            "Subject: Kutse",
            "Message-ID: <1@rowan.example>",
            "Content-Language: et",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(text.lines().any(|own| own == line), "{line:?} is not in {text}");
        }
        assert!(
            text.contains("\r\nDate: ") && text.contains("Content-Type: multipart/alternative;"),
            "{text}"
        );
        let (plain, html) = (text.find("text/plain; charset=utf-8"), text.find("text/html; charset=utf-8"));
        assert!(plain.is_some() && plain < html, "the last part is the preferred one: {text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "every line ends in CRLF");
    }

    #[test]
    fn a_subject_can_not_add_a_header_or_begin_the_body() {
        for attack in [
            "Hi\r\nBcc: all@rowan.example",
            "Hi\n\nBcc: x",
            "Hi\rBcc: x",
            "Hi\u{2028}Bcc:\0x",
            "Hi\u{85}Bcc: x",
        ] {
            let letter = Letter::new(attack, String::new(), String::new(), "en");
            assert!(letter.subject().starts_with("Hi Bcc:"), "{:?}", letter.subject());
            let text = written(attack);
            assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
            assert_eq!(text.matches("Subject: ").count(), 1);
        }
        let long = Letter::new(&"õ".repeat(5000), String::new(), String::new(), "en");
        assert_eq!(long.subject().chars().count(), MAX_SUBJECT);
        assert!(written(&"õ".repeat(5000)).lines().all(|line| line.len() <= 998), "RFC 5322 §2.1.1");
    }
}
