use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::connect::Connect;
use ::grant::Grant;
use ipnet::IpNet;
use model::{Clock, SubjectId};
use store::Store;

use crate::brand::Brand;
use crate::cookies::Cookies;
use crate::messages::Language;
use crate::metrics::Metrics;
use crate::protect::{Streams, Upstream};

/// What every handler can reach; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What the server is made of.
pub struct Parts {
    /// The connect plane.
    pub connect: Connect,
    /// The grant plane.
    pub grant: Grant,
    /// For the keys of the backend, subjects and readiness.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Our own address, as browsers see it.
    pub public_url: String,
    /// What lies behind us.
    pub upstreams: Vec<Upstream>,
    /// What is under way to there.
    pub streams: Arc<Streams>,
    /// The reverse proxies that are believed about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// The product, in titles and texts, with its colours and its logo.
    pub brand: Brand,
    /// The language of a person who states none.
    pub default_language: Language,
    /// What is counted.
    pub metrics: Metrics,
    /// The demonstration of `claviger dev`.
    pub demo: Option<Demo>,
    /// Set when the process begins to stop.
    pub stopping: AtomicBool,
}

/// The demonstration of `claviger dev`: pages that act for one subject, on loopback only.
pub struct Demo {
    /// The subject.
    pub subject: SubjectId,
}

impl App {
    /// Puts the server together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// How cookies are set.
    pub fn cookies(&self) -> Cookies {
        Cookies::for_address(&self.public_url)
    }

    /// From here on readiness says no, and what could last for ever ends.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.streams.close();
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
