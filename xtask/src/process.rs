//! Child processes, none of which outlives the run.
//!
//! 1. Every child leads a process group of its own, and leaves with everybody in it.
//! 2. SIGINT, SIGTERM and SIGHUP end the command in the foreground; its error then travels up the stack of `main`, and
//!    each value on the way stops its service and removes its directory.
//! 3. What left its group is adopted (this process is a subreaper) and killed at the end.

use std::io::{self, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    set_child_subreaper, waitid, waitpid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a group may take to end before it is killed. nextest gives its tests ten seconds by itself.
const GRACE: Duration = Duration::from_secs(15);

static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);
/// The leader of the command that a signal is meant for.
static FOREGROUND: Mutex<Option<Pid>> = Mutex::new(None);

fn foreground() -> MutexGuard<'static, Option<Pid>> {
    FOREGROUND.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal_foreground(signal: Signal) {
    if let Some(leader) = *foreground() {
        // The group may have ended in between; then there is nothing to stop.
        let _ = kill_process_group(leader, signal);
    }
}

/// Begins to listen for signals, and to adopt orphans. Once, at the start of `main`.
pub(crate) fn watch() -> Result<()> {
    set_child_subreaper(Some(getpid())).context("becoming a subreaper")?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for signals")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if INTERRUPTS.fetch_add(1, Ordering::SeqCst) == 0 {
                eprintln!("\ninterrupted: stopping what was started (once more to kill it)");
                signal_foreground(Signal::TERM);
            } else {
                signal_foreground(Signal::KILL);
            }
        }
    });
    Ok(())
}

/// Fails after a SIGINT, SIGTERM or SIGHUP, so that loops and sequences end there.
pub(crate) fn check_interrupted() -> Result<()> {
    if interrupted() {
        bail!("interrupted");
    }
    Ok(())
}

/// Whether a signal asked to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTS.load(Ordering::SeqCst) > 0
}

/// Runs a command in the foreground and waits for it; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = wait_in_foreground(command)?;
    check_interrupted()?;
    expect_success(command, status)
}

/// Runs a command that must not be cut short: a signal is heeded only after it. What it prints is shown if it fails.
pub(crate) fn run_to_the_end(command: &mut Command) -> Result<()> {
    let mut log = tempfile::tempfile().context("making a temporary file")?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    let result = Group::spawn(command)?.wait().and_then(|status| expect_success(command, status));
    if result.is_err() {
        log.rewind()?;
        io::copy(&mut log, &mut io::stderr())?;
    }
    result
}

/// What a command prints, or `None` where the program is absent or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn wait_in_foreground(command: &mut Command) -> Result<ExitStatus> {
    check_interrupted()?;
    let group = Group::spawn(command.stdin(Stdio::null()))?;
    *foreground() = Some(group.leader);
    if interrupted() {
        signal_foreground(Signal::TERM);
    }
    group.wait()
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", describe(command));
    }
    Ok(())
}

/// The command as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// A child and everybody in its process group. Dropping it stops them.
pub(crate) struct Group {
    leader: Pid,
    child: Child,
    reaped: bool,
}

impl Group {
    /// Starts the command as leader of a group of its own.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child =
            command.process_group(0).spawn().with_context(|| format!("starting {}", describe(command)))?;
        Ok(Self { leader: Pid::from_child(&child), child, reaped: false })
    }

    /// The process id of the leader.
    pub(crate) fn id(&self) -> Pid {
        self.leader
    }

    /// Waits for the leader, then kills what it left behind in its group.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        self.reap().with_context(|| format!("waiting for process {}", self.leader))
    }

    /// Asks the leader with `signal`, waits up to the grace period for it, then kills the group.
    pub(crate) fn stop(mut self, signal: Signal) -> Result<ExitStatus> {
        self.ask_to_end(signal).with_context(|| format!("stopping process {}", self.leader))
    }

    /// Waits for the leader up to the grace period, then kills the group.
    pub(crate) fn wait_for_grace(mut self) -> Result<ExitStatus> {
        self.reap_within_grace().with_context(|| format!("waiting for process {}", self.leader))
    }

    fn ask_to_end(&mut self, signal: Signal) -> io::Result<ExitStatus> {
        // It may have ended by itself.
        let _ = kill_process(self.leader, signal);
        self.reap_within_grace()
    }

    fn reap_within_grace(&mut self) -> io::Result<ExitStatus> {
        let leader = self.leader;
        let (ended, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                if end.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                    let _ = kill_process_group(leader, Signal::KILL);
                }
            });
            let status = self.reap();
            drop(ended);
            status
        })
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        if !self.reaped {
            // The leader stays a zombie until the group is dead, so that its id can't name somebody else's group.
            while let Err(error) =
                waitid(WaitId::Pid(self.leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {
                if error != rustix::io::Errno::INTR {
                    return Err(error.into());
                }
            }
            let _ = kill_process_group(self.leader, Signal::KILL);
            foreground().take_if(|leader| *leader == self.leader);
            self.reaped = true;
        }
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped
            && let Err(error) = self.ask_to_end(Signal::TERM)
        {
            eprintln!("process {} could not be stopped: {error}", self.leader);
        }
    }
}

/// Kills every descendant that is left. Last, when no [`Group`] is in use any more.
pub(crate) fn kill_orphans() {
    loop {
        let orphans = children_of(getpid());
        if orphans.is_empty() {
            return;
        }
        // Their children are adopted when they are gone, and seen in the next round.
        for orphan in orphans {
            let _ = kill_process(orphan, Signal::KILL);
            let _ = waitpid(Some(orphan), WaitOptions::empty());
        }
    }
}

/// The processes whose parent is `parent`.
pub(crate) fn children_of(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter(|process| stat_field(*process, 4) == Some(parent.as_raw_nonzero().get().into()))
        .collect()
}

/// A field of `/proc/PID/stat`, counted from 1 as in proc(5); only fields after the program's name.
pub(crate) fn stat_field(process: Pid, field: usize) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in parentheses and may itself contain blanks and parentheses.
    let after_name = &stat[stat.rfind(')')? + 1..];
    after_name.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
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
    fn a_command_that_fails_is_an_error_that_names_it() {
        assert!(run(&mut shell("exit 0")).is_ok());
        let error = run(&mut shell("exit 3")).unwrap_err().to_string();
        assert_eq!(error, "sh -c exit 3 ended with exit status: 3");
    }

    #[test]
    fn what_a_leader_leaves_behind_in_its_group_is_killed() {
        let mut command = shell("sleep 600 & echo $!");
        let mut group = Group::spawn(command.stdout(Stdio::piped())).unwrap();
        let mut printed = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(group.child.stdout.take().unwrap()), &mut printed)
            .unwrap();
        let left = Pid::from_raw(printed.trim().parse().unwrap()).unwrap();
        group.wait().unwrap();
        // The kernel may need a moment to take the killed one out of the table; its state is then Z or X.
        let state = std::fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
        assert!(!state.contains(") S"), "still asleep: {state}");
    }

    #[test]
    fn a_dropped_group_has_ended() {
        let group = Group::spawn(&mut shell("exec sleep 600")).unwrap();
        let leader = group.id();
        drop(group);
        assert_eq!(stat_field(leader, 4), None);
    }

    #[test]
    fn the_parent_of_this_process_is_in_its_stat() {
        assert_eq!(
            stat_field(getpid(), 4),
            rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get().into())
        );
    }
}
