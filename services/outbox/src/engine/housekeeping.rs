//! What is looked at now and then: how full the outbox is, what others delivered, what is old enough to go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Inner;
use crate::storage::{Storage, Sweep};
use crate::time;

/// Between two samples, and longer when a sample costs more than a twentieth of that.
const SAMPLE: Duration = Duration::from_secs(1);
/// How late a request may learn that another process delivered its message.
const WAITERS: Duration = Duration::from_millis(100);
/// Rows that one sweeping transaction looks at: few, so that no other write waits long.
pub(super) const SWEEP: usize = 500;

/// The longest pause between two sweeps: 5,000 messages a second go at the least.
const LULL: Duration = Duration::from_millis(100);

/// The longest pause between two samples.
const SELDOM: Duration = Duration::from_secs(10);

/// Samples the outbox: the gauges, and whether more may be taken.
pub(super) async fn sample<S: Storage>(inner: Arc<Inner<S>>) {
    loop {
        let began = Instant::now();
        let mut took = Duration::ZERO;
        match inner.storage.depth(inner.settings.limit.saturating_add(1)).await {
            Ok(depth) => {
                took = began.elapsed();
                inner.rows.store(depth.rows, Ordering::Relaxed);
                inner.oldest.store(depth.oldest.unwrap_or(i64::MAX), Ordering::Relaxed);
                inner.metrics.depth.set(i64::try_from(depth.rows).unwrap_or(i64::MAX));
                let age = depth.oldest.map_or(0, |oldest| time::now().saturating_sub(oldest).max(0));
                let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
                inner.metrics.oldest_age.set(age.as_secs_f64());
            }
            Err(error) => tracing::debug!(%error, "the outbox was not sampled"),
        }
        // A count that takes long is made less often; never so seldom that the limit and the gauges mean nothing.
        if inner.pause(SAMPLE.max(took * 20).min(SELDOM)).await {
            return;
        }
    }
}

/// Tells requests whose message is in no memory of ours what became of it: one query for all of them.
pub(super) async fn look_for_waiters<S: Storage>(inner: Arc<Inner<S>>) {
    loop {
        tokio::select! {
            () = inner.waiters.some() => {}
            () = inner.stopping.cancelled() => return,
        }
        if inner.pause(WAITERS).await {
            return;
        }
        let mut ids = inner.waiters.ids();
        ids.retain(|id| !inner.flights.has(*id));
        if ids.is_empty() {
            continue;
        }
        match inner.storage.ended(ids).await {
            Ok(ended) => ended.into_iter().for_each(|id| inner.waiters.end(id, None)),
            Err(error) => tracing::debug!(%error, "nobody knows what others delivered"),
        }
    }
}

/// Deletes what is older than both sides keep it.
pub(super) async fn purge<S: Storage>(inner: Arc<Inner<S>>) {
    let retention = inner.settings.retention;
    let period = (retention / 10).clamp(Duration::from_secs(1), Duration::from_mins(1));
    loop {
        // At different times in different replicas.
        if inner.pause(period.mul_f64(rand::random_range(0.5..=1.0))).await {
            return;
        }
        let mut after = Some(Uuid::nil());
        while let Some(next) = after {
            let began = Instant::now();
            let sweep = Sweep { after: next, before: first_of(time::now(), retention), limit: SWEEP };
            after = inner.storage.purge(sweep).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "old messages were not deleted");
                None
            });
            if inner.lull(began).await {
                return;
            }
        }
        let mut began = Instant::now();
        while matches!(inner.storage.forget_keys(SWEEP).await, Ok(SWEEP)) {
            if inner.lull(began).await {
                return;
            }
            began = Instant::now();
        }
    }
}

impl<S: Storage> Inner<S> {
    /// After a sweep that `began` then: at most a tenth of the writer's time; bounded, because the time holds the wait
    /// for a busy writer too, and what is deleted more slowly than it comes would pile up. Whether the engine stops
    /// meanwhile.
    pub(super) async fn lull(&self, began: Instant) -> bool {
        self.pause((began.elapsed() * 9).min(LULL)).await
    }

    /// Whether the engine stops meanwhile.
    pub(super) async fn pause(&self, pause: Duration) -> bool {
        tokio::select! {
            () = sleep(pause) => false,
            () = self.stopping.cancelled() => true,
        }
    }
}

/// The identifier before those of messages created at `now - age` (unix milliseconds): RFC 9562, section 5.7.
fn first_of(now: i64, age: Duration) -> Uuid {
    let millis = u128::try_from(now).unwrap_or_default().saturating_sub(age.as_millis());
    Uuid::from_u128(millis << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_divides_the_identifiers_before_it_from_those_after() {
        let now = time::now();
        let id = Uuid::now_v7();
        assert!(first_of(now, Duration::from_secs(1)) < id);
        assert!(id < first_of(now + 60_000, Duration::from_secs(1)));
    }
}
