//! What has waited for too long while the receiver is away: given up without a try of its own.
//!
//! While the receiver answers, every message is tried in its turn, and a try that fails judges its age. While it is
//! away the gate lets one through in two seconds, so the others would wait unjudged, however old.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Inner;
use super::housekeeping::{LULL, SWEEP};
use crate::metrics::Outcome;
use crate::storage::{Expiry, Storage};
use crate::time;

/// A receiver that starts together with us, after an outage of both, gets most of what is old nevertheless: all but the
/// few that find out that it is away.
const GRACE: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_mins(1);
const SHORTEST: Duration = Duration::from_millis(100);

pub(super) async fn run<S: Storage>(inner: Arc<Inner<S>>) {
    let max_age = inner.settings.max_age;
    let period = (max_age / 10).clamp(SHORTEST, LONGEST);
    loop {
        // At different times in different replicas.
        if inner.pause(period.mul_f64(rand::random_range(0.5..=1.0))).await {
            return;
        }
        while inner.gate.closed_for().is_some_and(|closed| closed >= GRACE.min(max_age)) {
            let age = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
            let before = time::now().saturating_sub(age);
            // Nothing is in the outbox for longer than it exists.
            if inner.oldest.load(Ordering::Relaxed) >= before {
                break;
            }
            let began = Instant::now();
            let error = format!("{} was away, and {max_age:?} passed without a delivery", inner.settings.receiver.name);
            let expired = match inner.storage.expire(Expiry { before, limit: SWEEP, error }).await {
                Ok(expired) => expired,
                Err(error) => {
                    tracing::debug!(%error, "old messages were not given up");
                    break;
                }
            };
            if !expired.is_empty() {
                let (count, receiver) = (expired.len(), inner.settings.receiver.name);
                tracing::warn!(count, "messages are given up: {receiver} is away for longer than they may wait");
            }
            for id in &expired {
                inner.metrics.dead.inc();
                inner.metrics.ended(Outcome::Expired);
                inner.waiters.end(*id, None);
            }
            if expired.len() < SWEEP {
                break;
            }
            if inner.pause((began.elapsed() * 9).min(LULL)).await {
                return;
            }
        }
    }
}
