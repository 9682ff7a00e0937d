use std::pin::pin;
use std::sync::Arc;

use model::SystemClock;
use tokio::net::TcpListener;
use tracing::info;

use super::{ConfigArgs, End, block_on, told_to_stop};
use crate::logging;
use crate::server::{Listeners, Server};

pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<End> {
    let config = args.load()?;
    logging::start(&config.log);
    block_on(async {
        let stop = told_to_stop()?;
        let listeners = Listeners::bind(&config).await?;
        let public = listeners.public.local_addr()?;
        let backend = listeners.backend.as_ref().map(TcpListener::local_addr).transpose()?.unwrap_or(public);
        let mut stop = pin!(stop);
        let server = tokio::select! {
            server = Server::start(&config, listeners, Arc::new(SystemClock), None) => server?,
            () = &mut stop => return Ok(End::Done),
        };
        info!(%public, %backend, version = env!("CARGO_PKG_VERSION"), outcome = "success", "server.started");
        stop.await;
        server.stop().await;
        Ok(End::Done)
    })
}
