//! A service's process.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use test_postgres::Guard;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::{Failure, Result};
use crate::schedule::Who;

/// A process that does not listen by then hangs. It listens before its database is there.
const START: Duration = Duration::from_secs(30);
/// Lines of its log that a report shows.
const LINES: usize = 30;

/// How to start a service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) who: Who,
    pub(crate) binary: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) guard: Arc<Guard>,
    /// Takes every line of its processes' logs.
    pub(crate) lines: Option<Arc<File>>,
}

/// A running process; killed when dropped, and when this process dies.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    id: u32,
    follower: Option<JoinHandle<()>>,
    log: Log,
    guard: Arc<Guard>,
}

/// The last lines of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<VecDeque<String>>>);

/// What came of a start.
#[derive(Debug)]
pub(crate) enum Started {
    Listening(Box<Process>),
    /// It died before it listened, as fail points in its start may want.
    Died(ExitStatus, Log),
}

impl Service {
    pub(crate) fn new(who: Who, binaries: &Path, guard: Arc<Guard>) -> Self {
        let name = match who {
            Who::A => api::a::NAME,
            Who::B => api::b::NAME,
        };
        let fixed = [
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("ADMIN_ADDR", "127.0.0.1:0"),
            ("LOG_FORMAT", "json"),
            ("OTEL_SDK_DISABLED", "true"),
        ];
        let environment = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { who, binary: binaries.join(name), environment, guard, lines: None }
    }

    pub(crate) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut more = self.clone();
        more.environment.push((name.to_owned(), value.into()));
        more
    }

    pub(crate) async fn start(&self) -> Result<Started> {
        let action = format!("start {}", self.binary.display());
        let mut child = Command::new(&self.binary)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.guard.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C ends the run, and the run ends its processes.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::to(&action))?;
        let id = child.id().ok_or_else(|| Failure::new(&action, "it has no process id"))?;
        self.guard.watch(id);
        let log = Log::default();
        let (sender, listens) = oneshot::channel();
        let stderr = child.stderr.take().ok_or_else(|| Failure::new(&action, "it has no stderr"))?;
        let follower = Some(tokio::spawn(follow(stderr, log.clone(), self.lines.clone(), sender)));
        let mut process =
            Process { address: ([127, 0, 0, 1], 0).into(), child, id, follower, log, guard: self.guard.clone() };
        // The sender is dropped when the log ends: the process has died.
        match timeout(START, listens).await {
            Ok(Ok(address)) => {
                process.address = address;
                Ok(Started::Listening(Box::new(process)))
            }
            Ok(Err(_)) => Ok(Started::Died(process.ended().await, process.log.clone())),
            Err(_) => Err(Failure::new(action, format!("it did not listen within {START:?}:\n{}", process.log))),
        }
    }

    /// Starts a process that has nothing to die of.
    pub(crate) async fn serve(&self) -> Result<Process> {
        match self.start().await? {
            Started::Listening(process) => Ok(*process),
            Started::Died(status, log) => {
                Err(Failure::new(format!("start {}", self.binary.display()), format!("{status}\n{log}")))
            }
        }
    }
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Waits for its end; may be dropped and called again.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        loop {
            // Waiting for a child of ours fails only when a signal interrupts it.
            if let Ok(status) = self.child.wait().await {
                self.guard.forget(self.id);
                // Its last words may still be in the pipe.
                if let Some(follower) = self.follower.take() {
                    let _ = timeout(Duration::from_secs(1), follower).await;
                }
                return status;
            }
        }
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) -> ExitStatus {
        let _ = self.child.start_kill();
        self.ended().await
    }
}

/// Reads a log to its end; tells the address once it is there.
async fn follow(stderr: ChildStderr, log: Log, all: Option<Arc<File>>, sender: oneshot::Sender<SocketAddr>) {
    let mut sender = Some(sender);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let address = line.split_once("\"listen\":\"").and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
        // A line that can't be kept is no reason to end the run.
        let _ = all.as_deref().map(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        log.push(line);
        if let (Some(address), Some(sender)) = (address, sender.take_if(|_| address.is_some())) {
            let _ = sender.send(address);
        }
    }
}

impl Log {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The fail point that its last words name, as `a.after_write`.
    pub(crate) fn fired(&self) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().find_map(|line| {
            let (point, _) = line.strip_prefix("failpoint ")?.strip_suffix(": kill")?.split_once('@')?;
            Some(point.to_owned())
        })
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().try_for_each(|line| writeln!(f, "      | {line}"))
    }
}
