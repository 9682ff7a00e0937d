//! wrk against one server, and what the server spent on it.

use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;
use serde_json::Value;

use super::servers::{Program, Target};
use crate::process;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bench/load.lua");

/// Which connections are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distribution {
    /// Each as often as any other.
    Uniform,
    /// The n-th most popular one 1/n as often as the first.
    Zipf,
}

impl Distribution {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        }
    }
}

/// One way of asking.
pub(crate) struct Load<'a> {
    /// Open connections of the load generator.
    pub(crate) clients: u32,
    pub(crate) distribution: Distribution,
    /// How many connections the store holds.
    pub(crate) connections: u32,
    pub(crate) target: &'a Target,
}

/// What one run yielded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    /// CPU time of the server process, user and system.
    pub(crate) cpu_seconds: f64,
    pub(crate) p50_milliseconds: f64,
    pub(crate) p99_milliseconds: f64,
}

impl Load<'_> {
    /// Asks `program` for so many seconds. An answer other than 2xx is an error: what fails fast measures nothing.
    pub(crate) fn run(&self, program: &Program, seconds: u32) -> Result<Sample> {
        process::check_interrupted()?;
        let mut wrk = Command::new("wrk");
        wrk.args(["-t", "2", "-c", &self.clients.to_string(), "-d", &format!("{seconds}s"), "-s", SCRIPT])
            .args([&program.url, "--", &self.target.path, &self.connections.to_string()])
            .args([self.distribution.name(), &self.target.api_key]);
        let server = program.service.id().context("the server has stopped")?;
        let before = cpu_seconds(server)?;
        let printed = process::output(&mut wrk).context("wrk failed")?;
        let cpu_seconds = cpu_seconds(server)? - before;
        sample(&printed, cpu_seconds)
            .with_context(|| format!("asking {}; it said:\n{}", program.url, program.service.last_lines()))
    }
}

fn sample(printed: &str, cpu_seconds: f64) -> Result<Sample> {
    let line = printed.lines().find_map(|line| line.strip_prefix("RESULT "));
    let result: Value = serde_json::from_str(line.context("wrk printed no result")?)?;
    let number = |name: &str| result[name].as_f64().with_context(|| format!("wrk printed no {name}"));
    let (requests, failed) = (number("requests")?, number("failed")?);
    if requests == 0.0 || failed > 0.0 {
        bail!("{failed} of {requests} requests failed");
    }
    Ok(Sample {
        requests,
        seconds: number("microseconds")? / 1e6,
        cpu_seconds,
        p50_milliseconds: number("p50")? / 1e3,
        p99_milliseconds: number("p99")? / 1e3,
    })
}

/// proc(5): fields 14 and 15 are user and system time in clock ticks.
#[expect(clippy::cast_precision_loss, reason = "ticks of minutes are far below 2^52")]
fn cpu_seconds(program: Pid) -> Result<f64> {
    let field = |field| process::stat_field(program, field).context("the server has ended");
    Ok((field(14)? + field(15)?) as f64 / clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_a_failed_request_is_no_measurement() {
        let printed = "Running 10s test\nRESULT {\"requests\":1000,\"microseconds\":2000000,\"failed\":0,\"p50\":500,\"p99\":1500}";
        let sample = sample(printed, 0.01).unwrap();
        assert_eq!((sample.requests, sample.seconds, sample.p99_milliseconds), (1000.0, 2.0, 1.5));
        assert!(super::sample(&printed.replace("\"failed\":0", "\"failed\":1"), 0.01).is_err());
        assert!(super::sample("Running 10s test", 0.01).is_err());
    }

    #[test]
    fn this_process_has_used_some_cpu() {
        let before = cpu_seconds(rustix::process::getpid()).unwrap();
        let mut sum = 0_u64;
        while cpu_seconds(rustix::process::getpid()).unwrap() < before + 0.02 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }
}
