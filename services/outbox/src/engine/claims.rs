//! Taking rows from the database: those whose lease ran out, whose retry is due, or that were never leased.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Inner, job};
use crate::gate::Way;
use crate::storage::{Claim, Claimed, Storage};

/// Between two looks, on average.
const LOOK: Duration = Duration::from_millis(500);
/// Rows of one claim.
const MOST: usize = 128;
/// The longest pause of a message: when the receiver is back, everything is due.
const AHEAD: Duration = Duration::from_mins(1);

pub(super) async fn run<S: Storage>(inner: Arc<Inner<S>>) {
    loop {
        let look = Instant::now() + LOOK.mul_f64(rand::random_range(0.75..=1.25));
        inner.until(look).await;
        if inner.stopping.is_cancelled() {
            return;
        }
        while claim(&inner).await {}
    }
}

/// Makes one claim, if there is reason to; whether to go on at once.
async fn claim<S: Storage>(inner: &Arc<Inner<S>>) -> bool {
    let Some((most, ahead)) = inner.wanted() else { return false };
    let Some(mut reserve) = inner.room.reserve(most) else { return false };
    // By the monotonic clock, from before the claim: the database counts it from later on.
    let leased_until = Instant::now() + inner.settings.lease;
    let (limit, bytes) = (reserve.rows(), reserve.bytes());
    let claim = Claim { owner: inner.owner, limit, bytes, lease: inner.settings.lease, ahead };
    let Claimed { rows, cut } = match inner.storage.claim(claim).await {
        Ok(claimed) => claimed,
        Err(error) => {
            // The database's own log lines say more; the next look is soon.
            tracing::debug!(%error, "no claim");
            return false;
        }
    };
    if !rows.is_empty() {
        failpoints::hit("a.after_claim");
    }
    let full = (rows.len() == limit || cut) && most > 1;
    inner.more.store(full, Ordering::Relaxed);
    if !full {
        // Nothing is left that waits for its time.
        inner.early.store(0, Ordering::Relaxed);
    }
    inner.metrics.claimed.inc_by(rows.len() as u64);
    for outgoing in rows {
        let place = reserve.place(outgoing.body.as_str().len());
        job::start(inner, outgoing, leased_until, place);
    }
    full && inner.wanted().is_some()
}

impl<S: Storage> Inner<S> {
    /// How many rows to claim now, and how long before they are due.
    fn wanted(&self) -> Option<(usize, Duration)> {
        if self.stopping.is_cancelled() {
            return None;
        }
        let flights = self.flights.count();
        match self.gate.way() {
            // However many new messages are in memory: retries and what others left behind have a room of their own, and
            // wait for their turn with the rest. It is what bounds a claim.
            Way::Open => {
                let take = |rounds: u64| rounds.checked_sub(1);
                let early = self.early.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
                Some((MOST, if early { AHEAD } else { Duration::ZERO }))
            }
            // Somebody has to find out whether the receiver is back.
            Way::Closed(until) if flights == 0 && until <= Instant::now() => Some((1, AHEAD)),
            Way::Closed(_) => None,
        }
    }

    /// The receiver is back: what waits for its next try is tried now, each row about once.
    pub(super) fn catch_up(&self) {
        let rounds = self.rows.load(Ordering::Relaxed) / MOST as u64 + 2;
        self.early.store(rounds, Ordering::Relaxed);
        self.more.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Waits until `look`, or until there is reason to look before.
    async fn until(&self, look: Instant) {
        loop {
            let due = [self.due.next(), self.reopening()].into_iter().flatten().min();
            let next = due.map_or(look, |due| due.min(look));
            tokio::select! {
                () = sleep_until(next) => return,
                () = self.wake.notified() => return,
                () = self.due.changed() => {}
                () = self.stopping.cancelled() => return,
            }
        }
    }

    /// When one of our own may find out whether the receiver is back.
    fn reopening(&self) -> Option<Instant> {
        match self.gate.way() {
            Way::Closed(until) if self.flights.count() == 0 && until > Instant::now() => Some(until),
            _ => None,
        }
    }
}
