//! The supervisor's end of the pipes to the guard.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::start::line;
use super::{Guard, Process, Request};
use crate::error::Error;
use crate::guard::{Order, Report, sweep};

/// For a guard to end what is left, or to take an order: it needs some milliseconds.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Looks for what a lost guard left, some milliseconds each.
const ROUNDS: usize = 1000;

/// Carries requests to the guard and reports from it. Has to be run for anything to happen.
#[derive(Debug)]
pub(crate) struct Link {
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    queue: mpsc::Receiver<Request>,
    spawning: HashMap<u64, Spawning>,
    alive: HashMap<u64, Alive>,
    /// In the environment of all that the guard started.
    mark: String,
}

#[derive(Debug)]
struct Spawning {
    answer: oneshot::Sender<Result<Process, String>>,
    guard: Guard,
}

#[derive(Debug)]
struct Alive {
    pid: u32,
    exit: watch::Sender<Option<Exit>>,
}

impl Link {
    pub(super) fn new(
        child: Child,
        orders: ChildStdin,
        reports: BufReader<ChildStdout>,
        queue: mpsc::Receiver<Request>,
        mark: String,
    ) -> Self {
        let reports = reports.lines();
        Self { child, orders, reports, queue, spawning: HashMap::new(), alive: HashMap::new(), mark }
    }

    /// Until the guard was told to end and has ended, with everything that it started; an error when it ended by itself:
    /// its children are then killed from here. `closing` is cancelled before anybody learns of their ends.
    pub(crate) async fn run(mut self, closing: &CancellationToken) -> Result<(), Error> {
        let told = self.carry().await;
        closing.cancel();
        let Self { mut child, orders, mut reports, mut alive, mark, .. } = self;
        // Its end of file.
        drop(orders);
        if told.is_err() {
            kill(&alive);
        }
        let ends = async {
            // Until the guard has ended, its reports go on.
            while let Ok(Some(text)) = reports.next_line().await {
                if let Ok(Report::Exited { id, code, signal }) = serde_json::from_str(&text)
                    && let Some(ended) = alive.remove(&id)
                {
                    ended.exit.send_replace(Some(Exit::new(code, signal)));
                }
            }
            child.wait().await
        };
        let ended = timeout(GRACE, ends).await;
        let hangs = ended.is_err();
        let status = if let Ok(status) = ended {
            status
        } else {
            kill(&alive);
            // One that the kernel can't end now is nobody's to wait for.
            let _ = child.start_kill();
            timeout(GRACE, child.wait()).await.unwrap_or_else(|late| Err(late.into()))
        };
        if told.is_err() || hangs {
            // What the guard can't end any more has become this process's. How it went changes nothing.
            let _ = tokio::task::spawn_blocking(move || sweep::end_marked(&mark, ROUNDS)).await;
        }
        if told.is_ok() && hangs {
            let error = Error::failed("the guard did not end, so it was killed, and every service with it");
            return Err(error.why(format!("it hung for {} s; was it stopped?", GRACE.as_secs())));
        }
        told.map_err(|why| {
            let error = Error::failed("the guard has ended, so every service was killed").why(why);
            match status {
                Ok(status) if !status.success() => error.why(status),
                _ => error,
            }
        })
    }

    /// Until the guard is told to end (`Ok`), or is lost.
    async fn carry(&mut self) -> Result<(), String> {
        let lost = |error: io::Error| format!("its pipe broke: {error}");
        loop {
            tokio::select! {
                request = self.queue.recv() => {
                    let order = match request {
                        None | Some(Request::End) => return Ok(()),
                        Some(Request::Spawn { command, answer, guard }) => {
                            self.spawning.insert(command.id, Spawning { answer, guard });
                            Order::Spawn(command)
                        }
                        Some(Request::Signal { id, signal }) => Order::Signal { id, signal: signal as i32 },
                    };
                    let line = line(&order).map_err(lost)?;
                    timeout(GRACE, self.orders.write_all(&line))
                        .await
                        .map_err(|_| format!("it took no order for {} s", GRACE.as_secs()))?
                        .map_err(lost)?;
                }
                report = self.reports.next_line() => {
                    let text = report.map_err(lost)?.ok_or("its pipe closed")?;
                    let report = serde_json::from_str(&text).map_err(|error| format!("it said {text:?}: {error}"))?;
                    self.take(report);
                }
            }
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Spawned { id, pid } => {
                let Some(Spawning { answer, guard }) = self.spawning.remove(&id) else { return };
                let (exit, exited) = watch::channel(None);
                self.alive.insert(id, Alive { pid, exit });
                if let Err(Ok(forgotten)) = answer.send(Ok(Process { id, pid, exit: exited, guard })) {
                    // Nobody waits for it any more: it must not be left running.
                    let _ = forgotten.guard.requests.try_send(Request::Signal { id, signal: Signal::SIGKILL });
                }
            }
            Report::NotSpawned { id, why } => {
                if let Some(Spawning { answer, .. }) = self.spawning.remove(&id) {
                    let _ = answer.send(Err(why));
                }
            }
            Report::Exited { id, code, signal } => {
                if let Some(ended) = self.alive.remove(&id) {
                    ended.exit.send_replace(Some(Exit::new(code, signal)));
                }
            }
            Report::Ready | Report::NotReady { .. } => {}
        }
    }
}

/// The groups of what was alive.
fn kill(alive: &HashMap<u64, Alive>) {
    for process in alive.values() {
        let _ = killpg(Pid::from_raw(process.pid.cast_signed()), Signal::SIGKILL);
    }
}
