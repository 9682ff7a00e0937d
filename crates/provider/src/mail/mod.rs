//! Mail: a letter handed to the operator's mail server (RFC 5321, RFC 6409). No queue and no second try: who sends
//! decides about both, by what the error means.
//!
//! - [`MailAddress`]: an address that can be written into a command and a header without harm
//! - [`Letter`]: subject, text and HTML in one language
//! - [`Mailer`]: one connection a letter, with one deadline
//! - [`MailError`]: refused, unavailable, or a matter of the configuration

mod address;
mod connection;
mod error;
mod letter;
mod mailer;
mod settings;

pub use address::{InvalidAddress, MailAddress, Mailbox};
pub use error::{Failure, MailError};
pub use letter::Letter;
pub use mailer::Mailer;
pub use settings::{MailCredentials, MailSettings, MailSettingsError, MailTls};
