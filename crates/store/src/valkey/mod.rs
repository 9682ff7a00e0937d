//! Valkey, or Redis from version 6: counters alone, on one server.
//!
//! | address | what |
//! | --- | --- |
//! | `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` | in clear |
//! | `rediss://…` | TLS; the certificate must name the host; `?sslrootcert=FILE` names the authority (PEM) in place of the public ones |
//! | `unix:///PATH[?db=…&user=…&pass=…]` | a socket of this machine |
//!
//! The schemes `valkey` and `valkeys` mean the same as `redis` and `rediss`. The server must not throw keys away for want of memory
//! (`maxmemory-policy noeviction`): what it forgets does not count. A cluster is not spoken to.

use std::fs;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, Script, TlsCertificates};
use url::Url;

use crate::{Error, Result};

mod limits;

/// A server.
pub(crate) struct Valkey {
    connection: ConnectionManager,
    hit: Script,
    give_back: Script,
}

impl Valkey {
    /// Knows where the server is. It is connected to when it is first asked, and again whenever the connection is lost; both
    /// that and an answer may take as long as `patience`.
    pub(crate) fn at(address: &str, patience: Duration) -> Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client(address)?, config)?;
        let (hit, give_back) = (include_str!("hit.lua"), include_str!("give_back.lua"));
        Ok(Self { connection, hit: Script::new(hit), give_back: Script::new(give_back) })
    }
}

fn client(address: &str) -> Result<Client> {
    // None of these quotes the address: it may hold a password.
    let wrong = |why: &str| Error::LimitsAddress(why.to_owned());
    let url = Url::parse(address).map_err(|error| wrong(&error.to_string()))?;
    let is_encrypted = match url.scheme() {
        "redis" | "valkey" | "unix" => false,
        "rediss" | "valkeys" => true,
        _ => return Err(wrong("use redis://HOST, rediss://HOST or unix:///PATH")),
    };
    if url.fragment().is_some() {
        return Err(wrong("nothing may follow a #"));
    }
    let known = if url.scheme() == "unix" { ["db", "user", "pass"].as_slice() } else { &["sslrootcert"] };
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| !known.contains(&name.as_ref())) {
        return Err(wrong(&format!("{name} is not known")));
    }
    let authority =
        url.query_pairs().find(|(name, _)| name == "sslrootcert").map(|(_, file)| file.into_owned());
    let refused = |error: RedisError| wrong(&error.to_string());
    match authority {
        Some(_) if !is_encrypted => Err(wrong("sslrootcert is for rediss")),
        Some(file) => {
            let pem = fs::read(&file).map_err(|error| wrong(&format!("sslrootcert {file}: {error}")))?;
            let trusted = TlsCertificates { client_tls: None, root_cert: Some(pem) };
            Client::build_with_tls(url, trusted).map_err(refused)
        }
        None => Client::open(url).map_err(refused),
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        Self::Unavailable(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_or_its_mistake_named_without_the_password() {
        for good in [
            "redis://h",
            "redis://u:p@127.0.0.1:1/2",
            "valkey://[::1]",
            "rediss://h:1",
            "unix:///run/r.sock?db=1&user=u&pass=p",
        ] {
            assert!(client(good).is_ok(), "{good}");
        }
        for (address, word) in [
            ("", "relative URL"),
            ("postgres://u:hunter2@h", "redis://HOST"),
            ("redis://u:hunter2@h/nine", "database"),
            ("redis://u:hunter2@h:none", "port"),
            ("redis://u:hunter2@h?timeout=1", "timeout"),
            ("redis://u:hunter2@h?sslrootcert=/x", "rediss"),
            ("rediss://u:hunter2@h?sslrootcert=/nonexistent", "/nonexistent"),
            ("rediss://u:hunter2@h#insecure", "#"),
            ("redis://u:hunter2@", "host"),
        ] {
            let Err(Error::LimitsAddress(message)) = client(address).map(drop) else {
                panic!("{address} was taken")
            };
            assert!(message.contains(word), "{address}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
