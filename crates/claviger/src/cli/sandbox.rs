use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use serde_json::json;

use super::{End, block_on, say, told_to_stop};
use crate::server::bind;

#[derive(Args)]
pub(super) struct SandboxArgs {
    /// The port on loopback; 0 for any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &SandboxArgs) -> anyhow::Result<End> {
    block_on(async {
        let stop = told_to_stop()?;
        let listener = bind("--port", SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        if args.json {
            say(json!({ "sandboxUrl": url }))?;
        } else {
            say(format_args!(
                "The sandbox provider answers on {url}; {url}/control steers it. Stop it with Ctrl-C."
            ))?;
        }
        sandbox::serve(listener, stop).await?;
        Ok(End::Done)
    })
}
