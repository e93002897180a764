//! When our own retries are due, so that they need not wait for the next look at the database.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Times closer together than this share one claim. It also bounds what is kept: the longest pause has 1,200 of them.
const GRAIN: Duration = Duration::from_millis(50);
/// What is due later than this is found by looking.
const FAR: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Due {
    start: Instant,
    /// In grains since the start.
    times: Mutex<BTreeSet<u64>>,
    changed: Notify,
}

impl Default for Due {
    fn default() -> Self {
        Self { start: Instant::now(), times: Mutex::default(), changed: Notify::new() }
    }
}

impl Due {
    pub(crate) fn add(&self, after: Duration) {
        if after <= FAR {
            // The end of its grain: not before it is due.
            let grain = self.grain(Instant::now() + after) + 1;
            let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            let first = times.first().is_none_or(|first| grain < *first);
            times.insert(grain);
            if first {
                self.changed.notify_one();
            }
        }
    }

    /// Something is due earlier than whatever was known before.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The first of them; those that have passed are forgotten.
    pub(crate) fn next(&self) -> Option<Instant> {
        let now = self.grain(Instant::now());
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        *times = times.split_off(&(now + 1));
        let grain = u32::try_from(*times.first()?).ok()?;
        Some(self.start + GRAIN * grain)
    }

    fn grain(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis() / GRAIN.as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_time_that_has_not_passed_is_next() {
        let due = Due::default();
        assert_eq!(due.next(), None);
        let start = Instant::now();
        for millis in [500, 120, 130, 90_000] {
            due.add(Duration::from_millis(millis));
        }
        assert_eq!(due.next(), Some(start + Duration::from_millis(150)));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(due.next(), Some(start + Duration::from_millis(550)));
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(due.next(), None);
    }
}
