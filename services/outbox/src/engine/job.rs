//! One message's way: wait for its turn, deliver it, record what became of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::message::State;
use telemetry::{Context, FutureExt as _, propagation};
use tokio::time::{Instant, sleep, timeout_at};

use super::Inner;
use super::flight::Flight;
use crate::courier::Verdict;
use crate::metrics::Outcome;
use crate::room::Place;
use crate::storage::{Outgoing, Settled, Settlement, Storage};
use crate::{Ended, backoff, time};

/// Pauses between tries to record an outcome while the database is away.
const RECORD_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Sees `outgoing` to its end, or to the end of its lease.
pub(super) fn start<S: Storage>(inner: &Arc<Inner<S>>, outgoing: Outgoing, leased_until: Instant, place: Place) {
    let Some(flight) = inner.flights.begin(outgoing.id) else { return };
    let context = outgoing
        .traceparent
        .as_deref()
        .map_or_else(Context::new, |traceparent| propagation::from_text(traceparent, outgoing.tracestate.as_deref()));
    let job = Job { inner: inner.clone(), outgoing, leased_until };
    inner.tasks.spawn(
        async move {
            job.run().await;
            job.leave(flight, place);
        }
        .with_context(context),
    );
}

struct Job<S> {
    inner: Arc<Inner<S>>,
    outgoing: Outgoing,
    leased_until: Instant,
}

/// What is to be recorded.
enum Turn {
    Settle(Settled, Outcome),
    /// The lease ends before a delivery could: the row is whoever's it will be.
    Late,
    /// The process stops.
    Returned,
}

impl<S: Storage> Job<S> {
    async fn run(&self) {
        let inner = &self.inner;
        match self.turn().await {
            Turn::Late => tracing::debug!(id = %self.outgoing.id, "its lease ran out before its turn came"),
            Turn::Returned => inner.returned().push(self.outgoing.id),
            Turn::Settle(settled, outcome) => {
                inner.metrics.ended(outcome);
                self.record(settled).await;
            }
        }
    }

    /// Waits for a place among the deliveries under way, and makes this one.
    async fn turn(&self) -> Turn {
        let inner = &self.inner;
        // A delivery that begins now may take so long, and shall not outlive the lease.
        let latest = self.leased_until.checked_sub(inner.settings.timeout).unwrap_or(self.leased_until);
        if inner.stopping.is_cancelled() {
            return Turn::Returned;
        }
        let permission = async { (inner.slots.acquire().await, inner.gate.pass().await) };
        let (_slot, pass) = tokio::select! {
            biased;
            permitted = timeout_at(latest, permission) => match permitted {
                Ok(permitted) => permitted,
                Err(_) => return Turn::Late,
            },
            () = inner.stopping.cancelled() => return Turn::Returned,
        };
        // Without a timer of its own: one that was ready at once was never asked for the time.
        if Instant::now() >= latest {
            return Turn::Late;
        }
        if older(self.outgoing.created_at, inner.settings.last_delivery()) {
            let error = "it was not delivered while the receiver is sure to know it again".to_owned();
            return self.dead(error, self.outgoing.attempts, Outcome::Expired);
        }

        failpoints::hit("a.before_delivery");
        inner.metrics.attempts.inc();
        let verdict = inner.courier.deliver(&self.outgoing).await;
        failpoints::hit("a.after_delivery");

        if let Verdict::Failed { asked, away: true, .. } = &verdict {
            if pass.away(*asked) {
                inner.metrics.closed.inc();
                tracing::warn!(
                    "{} is away: deliveries pause, and one at a time finds out",
                    inner.settings.receiver.name
                );
            }
        } else if pass.answered() {
            tracing::info!("{} is back: deliveries go on", inner.settings.receiver.name);
            inner.catch_up();
        }
        self.judge(verdict)
    }

    fn judge(&self, verdict: Verdict) -> Turn {
        let attempts = self.outgoing.attempts.saturating_add(1);
        match verdict {
            Verdict::Delivered => Turn::Settle(Settled::Delivered, Outcome::Delivered),
            Verdict::Refused(error) => self.dead(error, attempts, Outcome::Refused),
            Verdict::Failed { error, .. } if older(self.outgoing.enqueued_at, self.inner.settings.max_age) => {
                self.dead(error, attempts, Outcome::Expired)
            }
            Verdict::Failed { error, asked, .. } => {
                let after = backoff::pause(attempts, asked);
                Turn::Settle(Settled::Again { error, after }, Outcome::Failed)
            }
        }
    }

    fn dead(&self, error: String, attempts: u32, outcome: Outcome) -> Turn {
        tracing::warn!(id = %self.outgoing.id, attempts, error, "a message is given up");
        self.inner.metrics.dead.inc();
        Turn::Settle(Settled::Dead { error, attempts }, outcome)
    }

    /// Records it, however long the database is away while the process runs: until then the message keeps its place in
    /// memory.
    async fn record(&self, settled: Settled) {
        let inner = &self.inner;
        let settlement = Settlement { id: self.outgoing.id, owner: inner.owner, at: time::now(), settled };
        let (mut pause, longest) = RECORD_AGAIN;
        loop {
            match inner.storage.settle(settlement.clone()).await {
                Ok(()) => break,
                Err(
                    error @ (database::Error::Refused { .. }
                    | database::Error::Defect { .. }
                    | database::Error::NotConfigured),
                ) => {
                    tracing::error!(id = %self.outgoing.id, %error, "what became of a delivery can't be recorded");
                    return;
                }
                Err(error) => {
                    tracing::debug!(id = %self.outgoing.id, %error, "what became of a delivery is not recorded yet");
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = inner.stopped.cancelled() => return,
                    }
                    pause = (pause * 2).min(longest);
                }
            }
        }
        let attempts = self.outgoing.attempts.saturating_add(1);
        match settlement.settled {
            Settled::Delivered => {
                inner.end(settlement.id, &Ended { state: State::Delivered, attempts, at: settlement.at, error: None });
            }
            Settled::Dead { error, attempts } => {
                let ended = Ended { state: State::Dead, attempts, at: settlement.at, error: Some(error) };
                inner.end(settlement.id, &ended);
            }
            Settled::Again { after, .. } => inner.due.add(after),
        }
    }

    /// Makes room in memory, and has it filled when more is waiting.
    fn leave(self, flight: Flight, place: Place) {
        drop((flight, place));
        let inner = &self.inner;
        if inner.more.load(Ordering::Relaxed) && inner.flights.count() <= inner.settings.concurrency {
            inner.wake.notify_one();
        }
    }
}

/// Whether so much time has passed since `millis`; never, by a clock that went back.
fn older(millis: i64, age: Duration) -> bool {
    u128::try_from(time::now().saturating_sub(millis)).is_ok_and(|passed| passed > age.as_millis())
}
