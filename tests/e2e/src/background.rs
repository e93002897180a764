//! A command that runs while a scenario goes on: `up` in the foreground, `logs -f`.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::{self, PATIENCE};
use crate::{Run, eventually};

/// Ended, if it still runs, when dropped.
#[derive(Debug)]
pub struct Background {
    /// None once it was waited for.
    child: Option<Child>,
    id: i32,
    line: String,
    started: Instant,
    out: Reader,
    err: Reader,
}

impl Background {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let line = run::display(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let id = i32::try_from(child.id()).expect("a process id");
        let out = Reader::of(child.stdout.take().expect("piped"));
        let err = Reader::of(child.stderr.take().expect("piped"));
        Self { child: Some(child), id, line, started: Instant::now(), out, err }
    }

    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Whether there was somebody to get it.
    pub fn signal(&self, signal: Signal) -> bool {
        kill(Pid::from_raw(self.id), signal).is_ok()
    }

    /// What it has written to stdout until now.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.out.text()
    }

    #[must_use]
    pub fn stderr(&self) -> String {
        self.err.text()
    }

    /// Waits until it has written `text`, to either stream.
    #[track_caller]
    pub fn says(&self, text: &str) {
        eventually(&format!("`{}` says {text:?}", self.line), || {
            let (out, err) = (self.stdout(), self.stderr());
            if out.contains(text) || err.contains(text) { Ok(()) } else { Err(format!("{out}\n{err}")) }
        });
    }

    /// Waits for its end, and until nobody holds its output any more.
    #[track_caller]
    pub fn end(mut self) -> Run {
        let child = self.child.take().expect("waited for once");
        let output = run::finish(child, &self.line);
        let took = self.started.elapsed();
        let deadline = Instant::now() + PATIENCE;
        for reader in [&mut self.out, &mut self.err] {
            assert!(reader.join(deadline), "{}: ended, and something it started still holds its output", self.line);
        }
        Run {
            command: self.line.clone(),
            code: output.status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            took,
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What came through a pipe so far.
#[derive(Debug)]
struct Reader {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = text.clone();
        let thread = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..length]);
            }
        });
        Self { text, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Whether the pipe's other end was closed in time.
    fn join(&mut self, deadline: Instant) -> bool {
        let Some(thread) = self.thread.take() else { return true };
        while !thread.is_finished() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        thread.join().is_ok()
    }
}
