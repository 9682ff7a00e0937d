use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{AuditEvent, Clock, IntegrationId, Outcome, SubjectId};
use provider::catalog::Catalog;
use provider::client::HttpClient;
use store::Store;
use store::connections::ConnectionKey;
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinHandle;
use tracing::{Instrument, info, warn};

use crate::integrations::ConfiguredIntegration;
use crate::keys::Keys;
use crate::mail::Post;
use crate::portal::buckets::Announced;
use crate::refresh::metrics::RefreshMetrics;
use crate::refresh::spool::Spool;
use crate::refresh::{RefreshSettings, Refreshing};
use crate::return_to::AllowList;
use crate::revocation::metrics::RevocationMetrics;
use crate::stripe::StripeSettings;
use crate::{Error, Result};

/// What the operator decided about the connect plane.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our own address, as browsers and providers see it; no slash at the end.
    pub public_url: String,
    /// The product's front end, where the browser goes when an attempt names no `returnTo`.
    pub frontend_url: Option<String>,
    /// Where `returnTo` may point.
    pub return_to: AllowList,
    /// The integration that is meant when a request names none.
    pub default_provider: Option<IntegrationId>,
    /// How long an attempt may take.
    pub attempt_ttl: Duration,
    /// How long before its end a token is refreshed; never more than a fifth of its lifetime.
    pub refresh_before: Duration,
    /// How refreshing goes on.
    pub refresh: RefreshSettings,
    /// Whether only subjects that the backend made are served.
    pub subjects_must_exist: bool,
    /// What the portal's pages announce.
    pub announced: Vec<Announced>,
    /// The integrations of the configuration file.
    pub integrations: BTreeMap<IntegrationId, ConfiguredIntegration>,
}

/// What the plane is made of.
pub struct Parts {
    /// What the operator decided.
    pub settings: Settings,
    /// How third parties speak OAuth.
    pub catalog: Catalog,
    /// The way out to them.
    pub http: HttpClient,
    /// Where rows are kept.
    pub store: Store,
    /// What seals them.
    pub keys: Arc<Keys>,
    /// How invitations are mailed; `None` where no mail server is configured.
    pub post: Option<Post>,
    /// How subjects get paid; `None` where Stripe is not configured.
    pub stripe: Option<StripeSettings>,
    /// Where answers wait for a store that is not part of this machine; `None` where the commit itself is local.
    pub spool: Option<Spool>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The connect plane; cheap to clone.
#[derive(Clone)]
pub struct Connect {
    pub(crate) parts: Arc<Parts>,
    pub(crate) refreshing: Arc<Refreshing>,
    pub(crate) revocation_metrics: RevocationMetrics,
    /// Held by whoever goes through everything that is sealed.
    pub(crate) keys_at_work: Arc<Mutex<()>>,
    /// Read-locked by every piece of work that must not be cut off.
    under_way: Arc<RwLock<()>>,
}

impl Connect {
    /// Puts the plane together.
    pub fn new(parts: Parts) -> Self {
        let refreshing = Arc::new(Refreshing::new(parts.spool.clone()));
        let revocation_metrics = RevocationMetrics::default();
        Self {
            parts: Arc::new(parts),
            refreshing,
            revocation_metrics,
            keys_at_work: Arc::default(),
            under_way: Arc::default(),
        }
    }

    /// What is counted of refreshes.
    pub fn refresh_metrics(&self) -> &RefreshMetrics {
        &self.refreshing.metrics
    }

    /// What is counted of revocations.
    pub fn revocation_metrics(&self) -> &RevocationMetrics {
        &self.revocation_metrics
    }

    /// From here on no refresh is begun that nobody waits for.
    pub fn stop(&self) {
        self.refreshing.stop();
    }

    /// Waits for the exchanges and refreshes under way: what a provider has begun is finished before the process ends.
    pub async fn drain(&self) {
        drop(self.under_way.write().await);
    }

    /// Runs work that goes on when its caller goes away: hyper drops a handler whose client has hung up, and tokens
    /// that a provider has just issued must not be dropped with it.
    pub(crate) fn detach<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        // While `drain` holds the lock nobody waits for more.
        let guard = self.under_way.clone().try_read_owned().ok();
        let work = async move {
            let done = work.await;
            drop(guard);
            done
        };
        // What it logs is found by the id of the request that began it.
        tokio::spawn(work.in_current_span())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    pub(crate) fn now(&self) -> model::Timestamp {
        self.parts.clock.now()
    }

    /// Remembers a security-relevant act. An act whose trace can't be written is answered as a failure of the store.
    pub(crate) async fn audit(&self, event: AuditEvent) -> Result<()> {
        Ok(self.store().audit.append(&event).await?)
    }

    /// The same, and says it in the log.
    pub(crate) async fn remember(&self, event: AuditEvent) -> Result<()> {
        let subject = event.subject.as_ref().map(SubjectId::as_str);
        let (target, reason) = (event.target.as_deref(), event.reason.as_deref());
        if event.outcome == Outcome::Success {
            info!(subject, target, reason, outcome = "success", "{}", event.event);
        } else {
            warn!(subject, target, reason, outcome = event.outcome.word(), "{}", event.event);
        }
        self.audit(event).await
    }

    /// Subjects come to be at their first use, unless the operator wants them made beforehand.
    pub(crate) async fn admit(&self, subject: &SubjectId) -> Result<()> {
        if !self.parts.settings.subjects_must_exist {
            return Ok(self.store().subjects.ensure(subject, self.now()).await?);
        }
        match self.store().subjects.get(subject).await? {
            Some(_) => Ok(()),
            None => Err(Error::SubjectNotFound { subject: subject.clone() }),
        }
    }

    pub(crate) fn not_found(key: &ConnectionKey) -> Error {
        Error::ConnectionNotFound { subject: key.subject.clone(), integration: key.integration.clone() }
    }
}
