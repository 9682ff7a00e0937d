//! Sends letters, each over a connection of its own: they are few, and a kept one would have to be tested first.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::address::MailAddress;
use super::connection::Server;
use super::error::{MailError, Step};
use super::letter::Letter;
use super::settings::{MailSettings, MailSettingsError, MailTls};

/// How long a server may take to say goodbye; what it thinks of the letter is known by then.
const FAREWELL: Duration = Duration::from_secs(1);

/// Sends letters; cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    settings: MailSettings,
    server: Server,
}

impl Mailer {
    /// Makes one. TLS 1.2 and 1.3 by aws-lc-rs; Mozilla's root certificates and the operator's.
    pub fn new(settings: &MailSettings) -> Result<Self, MailSettingsError> {
        let host = settings.host.clone();
        let name = ServerName::try_from(host.clone()).map_err(|_| MailSettingsError::Host)?;
        if settings.tls == MailTls::None && !is_this_machine(&host) {
            return Err(MailSettingsError::PlainOutsideLoopback);
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(MailSettingsError::Tls)?
            .with_root_certificates(roots(settings.authorities.as_deref())?)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let server = Server { host, port: settings.port, name, tls: settings.tls, connector };
        Ok(Self(Arc::new(Inner { settings: settings.clone(), server })))
    }

    /// Hands a letter to the mail server; `Ok` is its word that it has it. All of it ends at one deadline. `id` names the letter,
    /// the same at every try, so that a letter that arrives twice is known to be one: letters, digits and `_`.
    pub async fn send(&self, id: &str, to: &MailAddress, letter: &Letter) -> Result<(), MailError> {
        let deadline = Instant::now() + self.0.settings.timeout;
        let late = |_| MailError::unavailable("The mail server did not answer in time");
        let from = &self.0.settings.from;
        let message = letter
            .write(from, self.0.settings.reply_to.as_ref(), to, format!("<{id}@{}>", from.address.domain()))
            .map_err(|_| MailError::configuration("The letter can't be written"))?;
        let connecting = self.0.server.connect(from.address.domain(), to, deadline);
        let mut connection = timeout_at(deadline, connecting).await.map_err(late)??;
        timeout_at(deadline, self.announce(&mut connection, to)).await.map_err(late)??;
        let answer = timeout_at(deadline, connection.message(&message)).await;
        let handed = match answer.map_err(|_| MailError::unanswered())? {
            Ok(_) => Ok(()),
            Err(error) if error.status().is_none() => Err(MailError::unanswered()),
            Err(error) => Err(MailError::command(&Step::CONTENT, &error, to)),
        };
        // Commands one by one rather than lettre's `send`, which would wait here as long as the server likes.
        let _answer = timeout(FAREWELL, connection.command(Quit)).await;
        handed
    }

    /// Goes as far as the server's answer to EHLO, over TLS where the settings want it, and says goodbye: whether there is
    /// a server that would be spoken with.
    pub async fn greet(&self) -> Result<(), MailError> {
        let deadline = Instant::now() + self.0.settings.timeout;
        let late = |_| MailError::unavailable("The mail server did not answer in time");
        let from = &self.0.settings.from.address;
        let connecting = self.0.server.connect(from.domain(), from, deadline);
        let mut connection = timeout_at(deadline, connecting).await.map_err(late)??;
        let _answer = timeout(FAREWELL, connection.command(Quit)).await;
        Ok(())
    }

    /// Everything before the letter itself.
    async fn announce(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &MailAddress,
    ) -> Result<(), MailError> {
        if let Some(credentials) = &self.0.settings.credentials {
            if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                let what =
                    "The mail server lets nobody sign in with a user name and password (AUTH PLAIN or LOGIN)";
                return Err(MailError::configuration(what));
            }
            let credentials = Credentials::new(
                credentials.username.expose().clone(),
                credentials.password.expose().clone(),
            );
            let signed_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            signed_in.map_err(|error| MailError::command(&Step::AUTH, &error, to))?;
        }
        let sender = Mail::new(Some(self.0.settings.from.address.as_lettre()), Vec::new());
        let answer = connection.command(sender).await;
        answer.map_err(|error| MailError::command(&Step::SENDER, &error, to))?;
        let answer = connection.command(Rcpt::new(to.as_lettre(), Vec::new())).await;
        answer.map_err(|error| MailError::command(&Step::RECIPIENT, &error, to))?;
        let answer = connection.command(Data).await;
        answer.map_err(|error| MailError::command(&Step::CONTENT, &error, to))?;
        Ok(())
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn roots(authorities: Option<&str>) -> Result<RootCertStore, MailSettingsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(pem) = authorities else { return Ok(roots) };
    let public = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| MailSettingsError::Authorities)?;
        roots.add(certificate).map_err(|_| MailSettingsError::Authorities)?;
    }
    if roots.len() == public { Err(MailSettingsError::Authorities) } else { Ok(roots) }
}
