//! What has waited for too long while the receiver is away: given up without a try of its own.
//!
//! While the receiver answers, every message is tried in its turn, and a try that fails judges its age. While it is
//! away the gate lets one through in two seconds, so the others would wait unjudged, however old.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use super::housekeeping::SWEEP;
use crate::metrics::Outcome;
use crate::storage::{Expiry, Storage};
use crate::time;

/// A receiver that starts together with us, after an outage of both, gets most of what is old nevertheless: all but the
/// few that find out that it is away.
const GRACE: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_mins(1);
const SHORTEST: Duration = Duration::from_millis(100);

pub(super) async fn run<S: Storage>(inner: Arc<Inner<S>>) {
    let period = (inner.settings.max_age / 10).clamp(SHORTEST, LONGEST);
    loop {
        // At different times in different replicas.
        if inner.pause(period.mul_f64(rand::random_range(0.5..=1.0))).await {
            return;
        }
        let mut began = Instant::now();
        while inner.give_up_some().await == SWEEP {
            if inner.lull(began).await {
                return;
            }
            began = Instant::now();
        }
    }
}

impl<S: Storage> Inner<S> {
    /// How many were given up, `SWEEP` at the most.
    async fn give_up_some(&self) -> usize {
        let (max_age, receiver) = (self.settings.max_age, self.settings.receiver.name);
        if self.gate.closed_for().is_none_or(|closed| closed < GRACE.min(max_age)) {
            return 0;
        }
        let before = time::now().saturating_sub(i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX));
        // Nothing is in the outbox for longer than it exists.
        if self.oldest.load(Ordering::Relaxed) >= before {
            return 0;
        }
        let error = format!("{receiver} was away, and {max_age:?} passed without a delivery");
        let expired = self.storage.expire(Expiry { before, limit: SWEEP, error }).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "old messages were not given up");
            Vec::new()
        });
        if !expired.is_empty() {
            let count = expired.len();
            tracing::warn!(count, "messages are given up: {receiver} is away for longer than they may wait");
        }
        for id in &expired {
            self.metrics.dead.inc();
            self.metrics.ended(Outcome::Expired);
            self.waiters.end(*id, None);
        }
        expired.len()
    }
}
