//! Why a call to a provider has no answer, and whether it may have been processed all the same.

use std::io;

pub use crate::reach::InvalidHost;

/// Settings with which no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A host of `allow_private` can't be read.
    #[error(transparent)]
    Host(#[from] InvalidHost),
    /// A certification authority can't be read.
    #[error("a certificate of the trusted authorities can't be read")]
    Root(#[source] rustls::Error),
    /// TLS can't be set up.
    #[error("TLS can't be set up")]
    Tls(#[source] rustls::Error),
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one that may be called; nothing was sent.
    #[error("{rule}")]
    NotCallable {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The host has only addresses that may not be called; nothing was sent.
    #[error(
        "{host} has no address that may be called: public ones need https, others the operator's permission"
    )]
    Forbidden {
        /// The host.
        host: String,
    },
    /// The host's name has no address; nothing was sent.
    #[error("{host} can't be resolved")]
    Resolve {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No connection; nothing was sent.
    #[error("no connection to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No connection in time; nothing was sent.
    #[error("no connection to {host} in time")]
    ConnectTimeout {
        /// The host.
        host: String,
    },
    /// The connection ended before the request was on its way; it was certainly not processed.
    #[error("{host} closed the connection before the request was sent")]
    NotSent {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: hyper::Error,
    },
    /// The call's gate was closed when everything else was ready; nothing was sent.
    #[error("the right to call {host} has passed to somebody else before the request was sent")]
    Withheld {
        /// The host.
        host: String,
    },
    /// The connection broke, or what came was not HTTP, after the request was sent.
    #[error("{host} did not answer: the connection broke after the request was sent")]
    Broken {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No complete answer in time, after the request was sent.
    #[error("{host} did not answer in time")]
    Timeout {
        /// The host.
        host: String,
    },
    /// The answer is larger than is read.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The limit in octets.
        limit: usize,
    },
}

impl ClientError {
    /// Whether the request certainly was not processed, so that sending it again is harmless.
    pub const fn is_certainly_not_sent(&self) -> bool {
        match self {
            Self::NotCallable { .. }
            | Self::Forbidden { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::ConnectTimeout { .. }
            | Self::NotSent { .. }
            | Self::Withheld { .. } => true,
            Self::Broken { .. } | Self::Timeout { .. } | Self::TooLarge { .. } => false,
        }
    }
}
