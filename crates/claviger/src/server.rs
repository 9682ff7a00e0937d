//! Listeners, and an end in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http_plane::{App, Demo, router};
use model::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::{Config, ConfigError};
use crate::jobs;
use crate::wiring::{self, Wired};

/// The addresses that a server answers on.
pub struct Listeners {
    /// Browsers and OAuth clients.
    pub public: TcpListener,
    /// The product's backend; `None` when it shares the public one.
    pub backend: Option<TcpListener>,
}

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> Result<Self, ConfigError> {
        let shared = config.public.listen == config.backend.listen;
        let public = bind("public.listen", config.public.listen).await?;
        let backend = if shared { None } else { Some(bind("backend.listen", config.backend.listen).await?) };
        Ok(Self { public, backend })
    }
}

/// Binds one address, or says which setting names one that is taken.
pub async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, ConfigError> {
    TcpListener::bind(address).await.map_err(|error| {
        ConfigError::setting(
            key,
            format!("{address}: {error}"),
            "stop what uses the address, or choose another (port 0: any)",
        )
    })
}

/// A running server.
pub struct Server {
    /// What the handlers share.
    pub app: App,
    wired: Wired,
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
    grace: Duration,
}

impl Server {
    /// Opens the store and begins to answer.
    pub async fn start(
        config: &Config,
        listeners: Listeners,
        clock: Arc<dyn Clock>,
        demo: Option<Demo>,
    ) -> anyhow::Result<Self> {
        let wired = wiring::wire(config, clock, demo).await?;
        let app = wired.app.clone();
        let grace = config.shutdown_grace.0;
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let public = match listeners.backend {
            None => router::all(&app),
            Some(backend) => {
                let (router, stopping) = (router::backend(&app), stopping.clone());
                tasks.spawn(async move {
                    http_plane::serve::serve(backend, router, told(stopping), grace)
                        .await
                        .context("backend.listen")
                });
                router::public(&app)
            }
        };
        let (listener, told_to_stop) = (listeners.public, stopping.clone());
        tasks.spawn(async move {
            http_plane::serve::serve(listener, public, told(told_to_stop), grace)
                .await
                .context("public.listen")
        });
        let plan = jobs::Plan {
            attempt_retention: config.connect.attempt_retention.0,
            portal_retention: config.portal.retention.0,
            background: config.connect.refresh.background,
            mark: wired.mark.clone(),
        };
        let jobs_app = app.clone();
        tasks.spawn(async move {
            jobs::run(jobs_app, plan, stopping).await;
            Ok(())
        });
        Ok(Self { app, wired, stop, tasks, grace })
    }

    /// Takes no new work, finishes what is under way (what a provider has begun included), and closes the store.
    pub async fn stop(mut self) {
        let deadline = Instant::now() + self.grace;
        self.app.stop();
        self.wired.connect.stop();
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    warn!(outcome = "failure", error = format!("{error:#}"), "server.task_failed");
                }
                Err(error) => warn!(outcome = "failure", %error, "server.task_failed"),
            }
        }
        if tokio::time::timeout_at(deadline, self.wired.connect.drain()).await.is_err() {
            warn!(outcome = "failure", "refreshes.drain_exceeded");
        }
        if let Err(error) = self.wired.connect.note_uses().await {
            warn!(outcome = "failure", %error, "refresh.note_uses_failed");
        }
        self.wired.store.close().await;
        info!(outcome = "success", "server.stopped");
    }
}

async fn told(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a reason to stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}
