//! The letters that people get: one function a letter. What a caller gives (the product's name, the addressee's, the
//! tools') is text of one line wherever it stands, and is escaped in HTML by the template.

use ::connect::mail::{InvitationLetter, Letters};
use askama::Template;
use jiff::tz::TimeZone;
use model::{PortalPage, Timestamp};
use provider::mail::Letter;

use crate::messages::Language;

/// Where the lines of the text part end, in characters; links are never broken.
const COLUMNS: usize = 72;

/// The longest name that is written out, in characters.
const MAX_NAME: usize = 60;

/// More tools than these are "your tools".
const MOST_TOOLS: usize = 3;

pub(crate) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What an invitation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationKind<'a> {
    /// To connect tools.
    Tools {
        /// Their names as people know them; none for all that can be connected.
        names: &'a [String],
    },
    /// To connect a Stripe account.
    Stripe,
}

/// An invitation. It has no `Debug`: its link opens a door.
#[derive(Clone, Copy)]
pub struct Invitation<'a> {
    /// Who invites: the product, as people know it.
    pub product: &'a str,
    /// Whom: a person's or a company's name, if it is known.
    pub name: Option<&'a str>,
    /// To what.
    pub kind: InvitationKind<'a>,
    /// The link, of this person alone.
    pub link: &'a str,
    /// Until when it works.
    pub expires_at: Timestamp,
}

#[derive(Template)]
#[template(path = "mail/invitation.html")]
struct Html<'a> {
    language: Language,
    title: &'a str,
    greeting: &'a str,
    how: &'a str,
    button: &'a str,
    link: &'a str,
    until: &'a str,
    sent: &'a str,
}

#[derive(Template)]
#[template(path = "mail/invitation.txt")]
struct Text<'a> {
    paragraphs: Vec<String>,
    sent: &'a str,
}

/// What an invitation says, in a letter and on the page that its link leads to.
pub(crate) struct Words {
    /// Who invites to what.
    pub(crate) title: String,
    /// How it goes.
    pub(crate) how: String,
    /// What its button says.
    pub(crate) button: String,
}

impl Words {
    pub(crate) fn of(language: Language, product: &str, kind: InvitationKind<'_>) -> Self {
        let (message, tools) = match kind {
            InvitationKind::Tools { names } => ("mail_invites_to_tools", tools(language, names)),
            InvitationKind::Stripe => ("mail_invites_to_stripe", String::new()),
        };
        let about = |attribute: &str| {
            language.text(&format!("{message}{attribute}"), &[("product", product), ("tools", &tools)])
        };
        Self { title: about(""), how: about(".how"), button: about(".button") }
    }
}

impl<'a> InvitationKind<'a> {
    /// By the page that it leads to.
    pub fn of(page: PortalPage, tools: &'a [String]) -> Self {
        match page {
            PortalPage::Onboarding | PortalPage::Settings => Self::Tools { names: tools },
            PortalPage::Stripe => Self::Stripe,
        }
    }
}

/// Writes the letters that the connect plane sends.
pub struct Scribe {
    /// What a person calls the product.
    pub product: String,
    /// The language of a person of whom none is known.
    pub language: Language,
}

impl Letters for Scribe {
    fn invitation(&self, letter: &InvitationLetter) -> Letter {
        let language = letter.language.as_deref().and_then(Language::from_tag).unwrap_or(self.language);
        let kind = InvitationKind::of(letter.page, &letter.tools);
        let link = letter.link.expose();
        let (product, name) = (self.product.as_str(), letter.name.as_deref());
        invitation(language, &Invitation { product, name, kind, link, expires_at: letter.expires_at })
    }
}

/// The invitation that a product sends: who invites to what, one link, until when it works.
pub fn invitation(language: Language, invitation: &Invitation<'_>) -> Letter {
    let product = one_line(invitation.product);
    let Words { title, how, button } = Words::of(language, &product, invitation.kind);
    let greeting = match invitation.name.map(one_line).filter(|name| is_a_name(name)) {
        Some(name) => language.with("mail_greeting.named", "name", &name),
        None => language.plain("mail_greeting"),
    };
    let until = works_until(language, invitation.expires_at);
    let sent = language.with("mail_sent_through", "product", &product);
    let text = Text {
        paragraphs: vec![
            wrap(&greeting),
            wrap(&format!("{title}.")),
            wrap(&how),
            format!("{}\n{}", wrap(&language.plain("mail_open")), invitation.link),
            wrap(&format!("{until} {}", language.plain("mail_personal"))),
            wrap(&language.plain("mail_ignore")),
        ],
        sent: &wrap(&sent),
    };
    let html = Html {
        language,
        title: &title,
        greeting: &greeting,
        how: &how,
        button: &button,
        link: invitation.link,
        until: &until,
        sent: &sent,
    };
    Letter::new(&title, written(&text), written(&html), language.tag())
}

fn written(template: &impl Template) -> String {
    template.render().expect("writing into a String does not fail")
}

/// "GitHub, Jira and Slack".
fn tools(language: Language, names: &[String]) -> String {
    let names: Vec<String> = names.iter().take(MOST_TOOLS + 1).map(|name| one_line(name)).collect();
    match &*names {
        [name] => name.clone(),
        [first @ .., last] if names.len() <= MOST_TOOLS => {
            language.text("mail_and", &[("first", &first.join(", ")), ("last", last)])
        }
        _ => language.plain("mail_your_tools"),
    }
}

/// Everybody reads the same letter in another place, so the time is that of UTC.
pub(crate) fn works_until(language: Language, instant: Timestamp) -> String {
    // Beyond the years that jiff knows, the last one that it does: no letter lacks its date.
    let instant = jiff::Timestamp::from_millisecond(instant.as_unix_ms()).unwrap_or(jiff::Timestamp::MAX);
    let instant = instant.to_zoned(TimeZone::UTC);
    let month = usize::try_from(instant.month()).ok().and_then(|month| MONTHS.get(month - 1));
    let (day, year) = (instant.day().to_string(), instant.year().to_string());
    let time = format!("{:02}:{:02}", instant.hour(), instant.minute());
    let month = month.copied().unwrap_or_default();
    language.text("mail_works_until", &[("day", &day), ("month", month), ("year", &year), ("time", &time)])
}

/// Text that a caller gives, as a part of one line.
fn one_line(text: &str) -> String {
    let shown = text.chars().map(|c| if is_layout(c) { ' ' } else { c }).collect::<String>();
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_NAME {
        return line;
    }
    line.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

/// What breaks a line or turns its direction.
fn is_layout(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether it can greet somebody. People choose their names themselves in many products, and mail programs make links of
/// whatever looks like an address: nobody shall send advertisements through an invitation.
fn is_a_name(text: &str) -> bool {
    let dot_inside = text.split(' ').any(|word| word.trim_matches('.').contains('.'));
    !text.is_empty() && !dot_inside && !text.contains(['/', '@', ':'])
}

/// Breaks a paragraph into lines; a word that is longer than a line stays whole.
fn wrap(paragraph: &str) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS {
            wrapped.push('\n');
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

#[cfg(test)]
mod tests;
