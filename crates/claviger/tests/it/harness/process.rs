//! The program itself, as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a process may take to say that it is there; only a broken one needs it.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// How often what it printed is looked through.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The program, running.
pub(crate) struct Program {
    child: Child,
    printed: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    lines: mpsc::Receiver<String>,
}

/// A command of the program, with an empty environment but for these variables.
pub(crate) fn command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs a command of the program to its end.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> Output {
    command(arguments, variables).current_dir(folder).output().unwrap()
}

impl Program {
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = command(arguments, variables)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = streams.map(|stream| {
            let (printed, sender) = (printed.clone(), sender.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    printed.lock().unwrap_or_else(PoisonError::into_inner).extend([&*line, "\n"]);
                    // Nobody may be listening any more.
                    let _ = sender.send(line);
                }
            })
        });
        Self { child, printed, readers: readers.into(), lines }
    }

    /// The first line of JSON that has this member.
    pub(crate) fn line_with(&self, member: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(READY_WITHIN);
            let line = line.unwrap_or_else(|_| panic!("no line with {member} in:\n{}", self.printed()));
            match serde_json::from_str::<Value>(&line) {
                Ok(value) if value.get(member).is_some() => return value,
                _ => {}
            }
        }
    }

    /// Waits until it has said all of this in one line.
    pub(crate) async fn said(&self, parts: &[&str]) {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.printed().lines().any(|line| parts.iter().all(|part| line.contains(part))) {
            assert!(Instant::now() < deadline, "no line with {parts:?} in:\n{}", self.printed());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Sends it a signal: `STOP`, `CONT` …
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success(), "SIG{name} was not sent");
    }

    /// SIGKILL: it ends where it stands.
    pub(crate) fn kill_9(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        self.printed()
    }

    /// Everything that it printed so far, on both streams.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.printed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already after `terminate`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
