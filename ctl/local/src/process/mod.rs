//! Processes as the supervisor sees them: spawned and signalled by the guard, ended as the guard reports.

mod exit;
mod link;
mod start;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::guard::Command;

pub(crate) use exit::Exit;
pub(crate) use link::Link;

/// A handle of the guard; clones are the same guard. It ends once the last handle, and the last process's, is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    requests: mpsc::Sender<Request>,
    last: Arc<AtomicU64>,
}

/// What the task that talks to the guard is asked.
#[derive(Debug)]
enum Request {
    Spawn { command: Command, answer: oneshot::Sender<Result<Process, String>>, guard: Guard },
    Signal { id: u64, signal: Signal },
    End,
}

/// What a process is started as.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) argv: Vec<String>,
    pub(crate) folder: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    /// Opened for writing, as stdout and stderr.
    pub(crate) output: PathBuf,
}

impl Guard {
    /// The reason when the process can't be started, for a person.
    pub(crate) async fn spawn(&self, program: Program) -> Result<Process, String> {
        let Program { argv, folder, env, output } = program;
        if folder.to_str().is_none() {
            return Err(format!("the path of its folder is not UTF-8: {}", folder.display()));
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = oneshot::channel();
        let command = Command { id, argv, folder, env, output };
        let gone = || "the guard has ended".to_owned();
        self.requests.send(Request::Spawn { command, answer, guard: self.clone() }).await.map_err(|_| gone())?;
        // One that comes later is killed.
        timeout(link::GRACE, answered)
            .await
            .map_err(|_| format!("the guard did not answer within {} s", link::GRACE.as_secs()))?
            .map_err(|_| gone())?
    }

    /// No process is started any more, and what is left is killed.
    pub(crate) async fn end(&self) {
        // Fails when it has ended.
        let _ = self.requests.send(Request::End).await;
    }
}

/// A process that was started.
#[derive(Debug)]
pub(crate) struct Process {
    id: u64,
    pid: u32,
    exit: watch::Receiver<Option<Exit>>,
    guard: Guard,
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its end, and that of its whole group. Cancel safe.
    pub(crate) async fn exited(&mut self) -> Exit {
        // The sender is gone with the guard, whose end is the end of every process.
        self.exit.wait_for(Option::is_some).await.map_or(Exit::Unknown, |exit| exit.unwrap_or(Exit::Unknown))
    }

    /// To the whole group; nothing happens when it has ended.
    pub(crate) async fn signal(&self, signal: Signal) {
        let _ = self.guard.requests.send(Request::Signal { id: self.id, signal }).await;
    }
}
