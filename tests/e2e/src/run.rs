//! Running a command as a person would, and asserting on everything it did.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::explanation;

/// No command of a scenario takes this long; one that does hangs, and is ended.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// What a finished command printed, its exit code and how long it took.
#[derive(Debug)]
pub struct Run {
    pub command: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Run {
    /// Runs `command` to its end, with `input` on its standard input.
    pub fn of(command: &mut Command, input: &[u8]) -> Self {
        let line = display(command);
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        // A command that does not read its input closes the pipe: no failure of the test's.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
        let output = finish(child, &line);
        Self {
            command: line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: started.elapsed(),
        }
    }

    /// Asserts that it ended with exit code 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.code_is(0)
    }

    /// Asserts its exit code; and that msctl, where it fails, says what, why, where and the next command.
    #[track_caller]
    pub fn code_is(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self.is_explained()
    }

    /// The same of whichever exit code it has.
    #[track_caller]
    pub fn is_explained(self) -> Self {
        let program = self.command.split(' ').next().unwrap_or_default();
        if program.ends_with("msctl") {
            assert!(!self.stderr.contains("panicked at"), "{self}");
            // Logs that are followed end without a word.
            let told = self.code == Some(0) || (self.code == Some(130) && self.stderr.is_empty());
            assert!(told || explanation::is_whole(&self.stderr), "expected an error with all its parts\n{self}");
        }
        self
    }

    /// Asserts that the message a person reads names each of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "expected stderr to say {part:?}\n{self}");
        }
        self
    }

    #[track_caller]
    pub fn prints(self, stdout: &str) -> Self {
        assert!(self.stdout == stdout, "expected stdout to be {stdout:?}\n{self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr, took } = self;
        write!(f, "$ {command}\nexit code {code:?} after {took:.1?}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

/// Waits for a child's end and what it printed; ends it, and the test, after [`PATIENCE`].
#[track_caller]
pub fn finish(child: Child, line: &str) -> Output {
    let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let (done, is_done) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let hangs = is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if hangs {
            let _ = kill(id, Signal::SIGKILL);
        }
        hangs
    });
    let output = child.wait_with_output();
    drop(done);
    assert!(!watchdog.join().expect("the watchdog"), "{line}: did not end within {PATIENCE:?}: {output:?}");
    output.unwrap_or_else(|error| panic!("{line}: {error}"))
}

pub(crate) fn display(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
