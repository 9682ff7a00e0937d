//! What the operator decides about mail.

use std::time::Duration;

use model::Secret;

use super::address::{MailAddress, Mailbox};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// TLS begins with STARTTLS (RFC 3207); a server that does not offer it gets nothing.
    Required,
    /// TLS from the first octet (RFC 8314).
    Implicit,
    /// No TLS: only to a server on this machine.
    None,
}

/// With what we sign in to the mail server (RFC 4954, PLAIN or LOGIN). The user name often is an address, so neither is
/// printed.
#[derive(Debug, Clone)]
pub struct MailCredentials {
    /// The user name.
    pub username: Secret<String>,
    /// The password.
    pub password: Secret<String>,
}

/// What the operator decides about mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Who sends.
    pub from: Mailbox,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<MailAddress>,
    /// The mail server: a name, or a network address without brackets.
    pub host: String,
    /// Its port: usually 587 with STARTTLS, 465 with TLS from the beginning.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// With what we sign in, if at all. Never sent without TLS, except to a server on this machine.
    pub credentials: Option<MailCredentials>,
    /// Certification authorities that are trusted besides the public ones, in PEM.
    pub authorities: Option<String>,
    /// How long a letter may take from resolving the name to the server's word that it has it.
    pub timeout: Duration,
}

/// Settings with which no letter can be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// Without TLS everybody on the way could read the links.
    #[error("without TLS only a mail server on this machine (localhost, 127.0.0.1, ::1) is used")]
    PlainOutsideLoopback,
    /// The host can't be the name of a server.
    #[error("is neither a host name nor a network address")]
    Host,
    /// The authorities are not certificates in PEM.
    #[error("holds no certificate in PEM, or one that can't be read")]
    Authorities,
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[source] rustls::Error),
}
