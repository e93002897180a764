//! From a started process to a ready one, and whether it stays so.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::probe::{Addresses, Bad, ask, question};
use crate::event::Span;
use crate::spec::{Probe, ServiceSpec};

/// Between the first questions: services start in a few milliseconds, and a refused connection costs next to nothing.
const SOON: Duration = Duration::from_millis(5);

/// How long it is asked so often.
const FIRST: Duration = Duration::from_millis(250);

/// What becomes known of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Not ready yet, and why.
    Waiting(String),
    Ready,
    /// Was ready, and why it is not.
    Unready(String),
}

/// Why a process has to be killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Its startup probe never succeeded.
    Start(String),
    /// Its liveness probe fails.
    Live(String),
}

/// Watches a process until it has to be killed.
///
/// As the kubelet does: first the startup probe alone, then readiness and liveness side by side. Unlike it, asks often
/// at first; the startup probe's budget stays the same time, `period * failures`.
pub(super) async fn watch(spec: &ServiceSpec, at: Addresses, changed: impl Fn(Change)) -> Stuck {
    if let Err(why) = started(&spec.startup, at, &changed).await {
        return Stuck::Start(why);
    }
    tokio::select! {
        why = lives(&spec.liveness, at) => Stuck::Live(why),
        never = readies(&spec.readiness, at, &changed) => match never {},
    }
}

async fn started(probe: &Probe, at: Addresses, changed: &impl Fn(Change)) -> Result<(), String> {
    let budget = probe.budget();
    let deadline = Instant::now() + budget;
    let mut pace = Pace::new(probe.period());
    loop {
        let Err(why) = ask(probe, at).await else { return Ok(()) };
        if Instant::now() >= deadline && matches!(why, Bad::Answer(_)) {
            return Err(format!("not started within {}: {}: {why}", Span::from(budget), question(probe, at)));
        }
        changed(Change::Waiting(format!("{}: {why}", question(probe, at))));
        pace.wait().await;
    }
}

/// Returns what failed so often in a row that the process counts as stuck.
async fn lives(probe: &Probe, at: Addresses) -> String {
    let mut failures = 0;
    loop {
        sleep(probe.period()).await;
        match ask(probe, at).await {
            Ok(()) => failures = 0,
            Err(Bad::NotAsked(_)) => {}
            Err(_) if failures + 1 < probe.failures() => failures += 1,
            Err(why) => return format!("{}: {why}, {} times in a row", question(probe, at), failures + 1),
        }
    }
}

/// Never returns: a service that is not ready gets no requests, but it lives.
async fn readies(probe: &Probe, at: Addresses, changed: &impl Fn(Change)) -> Infallible {
    let mut pace = Pace::new(probe.period());
    while let Err(why) = ask(probe, at).await {
        changed(Change::Waiting(format!("{}: {why}", question(probe, at))));
        pace.wait().await;
    }
    changed(Change::Ready);
    let mut failures = 0;
    loop {
        sleep(probe.period()).await;
        match ask(probe, at).await {
            Ok(()) => {
                if failures >= probe.failures() {
                    changed(Change::Ready);
                }
                failures = 0;
            }
            Err(Bad::NotAsked(_)) => {}
            Err(why) => {
                failures += 1;
                if failures == probe.failures() {
                    changed(Change::Unready(format!("{}: {why}", question(probe, at))));
                }
            }
        }
    }
}

/// Often at first, then less and less, down to the period.
struct Pace {
    often_until: Instant,
    next: Duration,
    period: Duration,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Self { often_until: Instant::now() + FIRST, next: SOON.min(period), period }
    }

    async fn wait(&mut self) {
        sleep(self.next).await;
        if Instant::now() > self.often_until {
            self.next = (self.next * 5 / 4).min(self.period);
        }
    }
}
