//! A replica as the rest of its service sees it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::probe::Addresses;
use crate::ServiceSpec;
use crate::logs::Tail;
use crate::status::{ReplicaState, ReplicaStatus};

/// One of a service's processes, through all its restarts.
#[derive(Debug)]
pub(crate) struct Replica {
    /// `service-a-1-x7k2f`: unique, as a pod's name.
    pub(crate) name: String,
    /// From 1.
    pub(crate) ordinal: u32,
    pub(crate) spec: Arc<ServiceSpec>,
    pub(super) state: watch::Sender<Snapshot>,
    pub(super) stop: watch::Sender<Option<Stop>>,
}

/// How a replica is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Connections may end first.
    Drain,
    /// Everything ends: SIGTERM at once.
    Now,
}

/// A replica at a moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) state: ReplicaState,
    pub(super) pid: Option<u32>,
    /// None before the first start.
    pub(super) at: Option<Addresses>,
    pub(super) restarts: u32,
    pub(super) since: Timestamp,
    /// Why it is not ready.
    pub(super) why: Option<String>,
    /// How its last process failed.
    pub(super) failure: Option<Failure>,
    /// What its process writes.
    pub(super) tail: Option<Tail>,
}

/// The end of a process that should have gone on.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// `exit code 1`, `killed by SIGSEGV`.
    pub(super) how: String,
    pub(super) log: Vec<String>,
    /// Failures since it was last ready.
    pub(super) in_a_row: u32,
    /// The next try can't end otherwise, as when there is no such program.
    pub(super) for_good: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)?;
        if self.in_a_row > 1 { write!(f, ", {} times in a row", self.in_a_row) } else { Ok(()) }
    }
}

impl Replica {
    pub(super) fn new(spec: Arc<ServiceSpec>, ordinal: u32) -> Arc<Self> {
        let name = format!("{}-{ordinal}-{}", spec.name, suffix());
        let snapshot = Snapshot {
            state: ReplicaState::Starting,
            pid: None,
            at: None,
            restarts: 0,
            since: Timestamp::now(),
            why: Some("starting".to_owned()),
            failure: None,
            tail: None,
        };
        Arc::new(Self { name, ordinal, spec, state: watch::Sender::new(snapshot), stop: watch::Sender::new(None) })
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.state.borrow().clone()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state.borrow().state == ReplicaState::Ready
    }

    /// Why it is not ready.
    pub(super) fn why(&self) -> String {
        self.state.borrow().why.clone().unwrap_or_else(|| "its probes say nothing".to_owned())
    }

    /// Tells it to end and waits until it has; a later call may be more urgent, never less.
    pub(super) async fn stop(&self, stop: Stop) {
        self.stop.send_if_modified(|told| {
            let urgent = *told < Some(stop);
            if urgent {
                *told = Some(stop);
            }
            urgent
        });
        // Fails only when the replica is gone.
        let _ = self.state.subscribe().wait_for(|snapshot| snapshot.state == ReplicaState::Ended).await;
    }

    /// What its process wrote last, while it runs.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.state.borrow().tail.as_ref().map(Tail::lines).unwrap_or_default()
    }

    pub(super) fn status(&self) -> ReplicaStatus {
        let snapshot = self.snapshot();
        ReplicaStatus {
            name: self.name.clone(),
            pid: snapshot.pid,
            port: snapshot.at.map_or(0, |at| at.port),
            admin_port: snapshot.at.and_then(|at| at.admin),
            ready: snapshot.state == ReplicaState::Ready,
            restarts: snapshot.restarts,
            since: snapshot.since,
            state: snapshot.state,
        }
    }
}

/// Five letters and digits that make no words, as Kubernetes takes them.
fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    std::iter::repeat_with(|| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).take(5).collect()
}
