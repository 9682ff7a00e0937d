//! Structured logs, one event a line, on standard error: JSON in production, readable on a terminal.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging; a second call changes nothing.
pub fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    // Our own crates at the level asked for; libraries speak only when something is wrong.
    let filter = [
        "claviger",
        "connect",
        "http_plane",
        "claviger_connect",
        "claviger_http",
        "claviger_provider",
        "claviger_store",
        "claviger_sandbox",
    ]
    .into_iter()
    .fold(Targets::new().with_default(Level::WARN), |filter, target| filter.with_target(target, level));
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let output = if json {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(io::stderr)
            .boxed()
    } else {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        fmt::layer().with_ansi(colour).with_target(false).with_writer(io::stderr).boxed()
    };
    // A test process may have started it already.
    let _ = Registry::default().with(output.with_filter(filter)).try_init();
}
