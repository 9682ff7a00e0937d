//! Where the server is, and whether it is spoken to over TLS.
//!
//! | `sslmode` | what happens |
//! | --- | --- |
//! | absent | TLS, unless every host is this machine |
//! | `disable` | no TLS |
//! | `require`, `verify-ca`, `verify-full` | TLS; the certificate must name the host, whichever of them is stated |
//!
//! `sslrootcert=FILE` names the authority (PEM) in place of the public ones.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::form_urlencoded;

use super::CONNECT_TIMEOUT;
use crate::{Error, Result};

/// How long octets may stay unacknowledged before a connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authority, mut others) =
            (None, None, form_urlencoded::Serializer::new(String::new()));
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => authority = Some(value.into_owned()),
                _ => drop(others.append_pair(&name, &value)),
            }
        }
        let mut config: Config =
            format!("{base}?{}", others.finish()).parse().map_err(|error| wrong(&error))?;
        let encrypted = match mode.as_deref() {
            None => !is_this_machine(&config),
            Some("disable") => false,
            Some("require" | "verify-ca" | "verify-full") => true,
            Some(_) => {
                let advice =
                    "sslmode is disable, or verify-full, which is what require and verify-ca mean here";
                return Err(Error::Address(advice.to_owned()));
            }
        };
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(UNACKNOWLEDGED);
        if config.get_application_name().is_none() {
            config.application_name("claviger");
        }
        Ok(Self { config, tls: MakeRustlsConnect::new(tls(authority.as_deref())?) })
    }
}

fn wrong(error: &tokio_postgres::Error) -> Error {
    // The cause names the option, never its value.
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Error::Address(cause)
}

pub(super) fn is_this_machine(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn tls(authority: Option<&str>) -> Result<ClientConfig> {
    let roots = match authority {
        Some(file) => authority_of(Path::new(file))?,
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Address(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn authority_of(file: &Path) -> Result<RootCertStore> {
    let wrong =
        |why: &dyn std::fmt::Display| Error::Address(format!("sslrootcert {}: {why}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() { Err(wrong(&"it holds no certificate")) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Address::parse(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn another_machine_is_spoken_to_over_tls_unless_told_otherwise() {
        for local in ["postgres://u@127.0.0.1/d", "postgres://u@localhost:1/d", "postgres://u@%2Ftmp%2Fx/d"] {
            assert_eq!(mode(local), SslMode::Disable, "{local}");
        }
        assert_eq!(mode("postgres://u:p@db.example/d"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@127.0.0.1,db.example/d"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@db.example/d?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@127.0.0.1/d?sslmode=verify-full"), SslMode::Require);
    }

    #[test]
    fn a_wrong_address_is_named_without_its_password() {
        for (url, word) in [
            ("postgres://u:hunter2@h/d?sslmode=prefer", "sslmode"),
            ("postgres://u:hunter2@h:none/d", "port"),
            ("postgres://u:hunter2@h/d?nonsense=1", "nonsense"),
            ("postgres://u:hunter2@h/d?sslrootcert=/nonexistent", "sslrootcert"),
        ] {
            let Err(Error::Address(message)) = Address::parse(url).map(drop) else {
                panic!("{url} was taken")
            };
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
