//! Erase the tokens, keep the row for the audit trail.

use model::{Actor, AuditEvent, Outcome};
use store::connections::{Connection, ConnectionKey};
use tracing::info;

use crate::{Connect, Result};

impl Connect {
    /// Disconnects here. From this moment on nobody gets the token any more.
    pub async fn disconnect(&self, key: &ConnectionKey, by: Actor) -> Result<Connection> {
        let now = self.now();
        let done = self.store().connections.disconnect(key, &by.to_string(), now).await?;
        let connection = done.ok_or_else(|| Self::not_found(key))?;
        info!(subject = %key.subject, integration = %key.integration, outcome = "success", "disconnect.completed");
        self.audit(
            AuditEvent::new(now, "connection.disconnected", Outcome::Success, by)
                .subject(&key.subject)
                .target(connection.id)
                .fact("integration", key.integration.as_str()),
        )
        .await?;
        Ok(connection)
    }
}
