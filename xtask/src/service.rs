//! A program that runs beside the tests: started, waited for until it is ready, stopped when it is dropped.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::process::{self, Group};

/// How many of its last lines are kept to explain a failure.
const KEPT_LINES: usize = 200;
/// How often readiness is asked for while the program prints nothing.
const TICK: Duration = Duration::from_millis(50);
/// How long a service may take until it is ready.
const START: Duration = Duration::from_mins(1);

/// A running program.
pub(crate) struct Service {
    name: &'static str,
    stop_signal: Signal,
    group: Option<Group>,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Lines>,
    news: Condvar,
}

#[derive(Default)]
struct Lines {
    last: VecDeque<String>,
    ended: bool,
}

impl Service {
    /// Starts `command` and waits until `ready` finds what it looks for among the lines that were printed so far; it is
    /// asked at every new line and every 50 ms.
    pub(crate) fn start<T>(
        name: &'static str,
        mut command: Command,
        stop_signal: Signal,
        ready: impl FnMut(&VecDeque<String>) -> Option<T>,
    ) -> Result<(Self, T)> {
        let (reader, writer) = std::io::pipe().context("making a pipe")?;
        command.stdin(Stdio::null()).stdout(writer.try_clone().context("sharing a pipe")?).stderr(writer);
        let group = Group::spawn(&mut command)?;
        // The command holds the writing end of the pipe: without this the reader below would never see its end.
        drop(command);
        let log = Arc::new(Log::default());
        thread::spawn({
            let log = Arc::clone(&log);
            move || log.fill(BufReader::new(reader))
        });
        let service = Self { name, stop_signal, group: Some(group), log };
        let found = service.wait_until(ready)?;
        Ok((service, found))
    }

    /// The process id of the program.
    pub(crate) fn id(&self) -> Option<Pid> {
        self.group.as_ref().map(Group::id)
    }

    /// Waits, up to the grace period, until it ends by itself.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        self.group.take().context("the service was stopped before")?.wait_for_grace()
    }

    /// What it printed last, for error messages.
    pub(crate) fn last_lines(&self) -> String {
        let lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.last.iter().flat_map(|line| ["    ", line, "\n"]).collect()
    }

    fn wait_until<T>(&self, mut ready: impl FnMut(&VecDeque<String>) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + START;
        let mut lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            process::check_interrupted()?;
            if let Some(found) = ready(&lines.last) {
                return Ok(found);
            }
            let gave_up = if lines.ended {
                "ended before it was ready"
            } else if Instant::now() > deadline {
                "was not ready within a minute"
            } else {
                lines = self.log.news.wait_timeout(lines, TICK).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            drop(lines);
            bail!("{} {gave_up}; it said:\n{}", self.name, self.last_lines());
        }
    }
}

impl Log {
    fn fill(&self, reader: impl BufRead) {
        for line in reader.split(b'\n') {
            let Ok(line) = line else { break };
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.last.len() == KEPT_LINES {
                lines.last.pop_front();
            }
            lines.last.push_back(String::from_utf8_lossy(&line).into_owned());
            self.news.notify_all();
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.news.notify_all();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(group) = self.group.take()
            && let Err(error) = group.stop(self.stop_signal)
        {
            eprintln!("{} could not be stopped: {error:#}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_service_is_ready_when_it_says_so() {
        let script = "echo starting; echo on port 7 >&2; exec sleep 600";
        let (service, port) = Service::start("it", shell(script), Signal::TERM, |lines| {
            lines.iter().find_map(|line| line.strip_prefix("on port ").map(str::to_owned))
        })
        .unwrap();
        assert_eq!(port, "7");
        let leader = service.id().unwrap();
        drop(service);
        assert_eq!(process::stat_field(leader, 4), None, "it has ended");
    }

    #[test]
    fn a_service_that_ends_too_early_is_an_error_with_its_last_words() {
        let script = "echo 'no room' >&2; exit 1";
        let result = Service::start("it", shell(script), Signal::TERM, |_| None::<()>);
        let error = result.err().unwrap().to_string();
        assert_eq!(error, "it ended before it was ready; it said:\n    no room\n");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = Log::default();
        let text = (0..KEPT_LINES + 5).map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
        log.fill(text.as_bytes());
        let lines = log.lines.lock().unwrap();
        assert_eq!(lines.last.len(), KEPT_LINES);
        assert_eq!(lines.last.front().map(String::as_str), Some("5"));
        assert!(lines.ended);
    }
}
