//! Reads the documents of applications (Client ID Metadata Documents): by a client of its own, for anybody can make us read.

use std::time::Duration;

use async_trait::async_trait;
use grant::client_id_document::{Document, Documents, Unread};
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use provider::client::{Call, ClientSettings, HttpClient, SettingsError};

use crate::config::ConfigError;
use crate::config::grant::Mcp;

/// The largest document that is read, in octets.
const MAX: usize = 10 * 1024;
/// How long connecting, and reading altogether, may take: a person is waiting.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);
const READ_WITHIN: Duration = Duration::from_secs(8);

/// The client. What the operator allows for providers is not allowed here.
pub(crate) struct DocumentReader(HttpClient);

/// Makes it.
pub(crate) fn reader(mcp: &Mcp) -> Result<DocumentReader, ConfigError> {
    let settings = ClientSettings {
        connect_timeout: CONNECT_WITHIN,
        total_timeout: READ_WITHIN,
        max_body: MAX,
        allow_private: mcp.allow_private.clone(),
        ..ClientSettings::default()
    };
    HttpClient::new(settings).map(DocumentReader).map_err(|error| match error {
        SettingsError::Host(host) => {
            ConfigError::setting("grant.mcp.allow_private", host, "list hosts as \"name\" or \"name:port\"")
        }
        SettingsError::Root(_) | SettingsError::Tls(_) => {
            ConfigError::setting("grant.mcp", error, "this is a fault of the program; please report it")
        }
    })
}

#[async_trait]
impl Documents for DocumentReader {
    async fn read(&self, address: &str) -> Result<Document, Unread> {
        let call = Call::get(address).header(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.0.send(call).await.map_err(|error| Unread(error.to_string()))?;
        // RFC 9110 §5.3: several lines of one name are one list.
        let text = |name| {
            let lines = answer.headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
            lines.map(str::to_owned).reduce(|all, line| format!("{all}, {line}"))
        };
        Ok(Document {
            status: answer.status,
            content_type: text(CONTENT_TYPE),
            cache_control: text(CACHE_CONTROL),
            body: answer.body.to_vec(),
        })
    }
}
