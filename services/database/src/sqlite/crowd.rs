//! Waiting for callers that are about to come back.
//!
//! Many callers that each wait for their answer before they ask again fall into two halves: one half is being synced
//! while the other is queued, and each sync is paid for by half of them. Where a sync is dear, a short wait brings both
//! halves into one: with a sync of 4 ms and 64 clients, 60 writes a commit instead of 35. Who comes alone never waits.

use std::time::{Duration, Instant};

use crate::queue::LARGEST_BATCH;

/// Fewer callers than these are not worth a wait.
const CROWD: usize = 16;

/// The last commit, and who may come back after it.
#[derive(Debug)]
pub(super) struct Crowd {
    expected: usize,
    until: Instant,
}

impl Crowd {
    /// Nobody was seen yet.
    pub(super) fn new() -> Self {
        Self { expected: 0, until: Instant::now() }
    }

    /// After a commit of `answered` writes that took `lasted`, with `queued` more waiting.
    pub(super) fn committed(&mut self, answered: usize, queued: usize, lasted: Duration) {
        self.expected = (answered + queued).min(LARGEST_BATCH);
        // Not longer than half a commit: if they don't come, little is lost.
        self.until = Instant::now() + lasted / 2;
    }

    /// How long to wait for more than the `queued`; `None` when there is nobody to wait for.
    pub(super) fn wait(&self, queued: usize) -> Option<Duration> {
        let worth = self.expected >= CROWD && queued < self.expected;
        worth.then(|| self.until.checked_duration_since(Instant::now())).flatten().filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: Duration = Duration::from_mins(1);

    #[test]
    fn one_caller_is_never_waited_for() {
        let mut crowd = Crowd::new();
        assert_eq!(crowd.wait(0), None);
        crowd.committed(1, 0, COMMIT);
        assert_eq!(crowd.wait(0), None);
        crowd.committed(8, 7, COMMIT);
        assert_eq!(crowd.wait(0), None);
    }

    #[test]
    fn those_who_were_answered_are_waited_for_with_those_who_are_queued() {
        let mut crowd = Crowd::new();
        crowd.committed(32, 32, COMMIT);
        let left = crowd.wait(63).expect("one is missing");
        assert!(left <= COMMIT / 2 && left > COMMIT / 3, "{left:?}");
        assert_eq!(crowd.wait(64), None);
    }

    #[test]
    fn the_wait_ends_after_half_a_commit_and_at_a_full_batch() {
        let mut crowd = Crowd::new();
        crowd.committed(32, 32, Duration::ZERO);
        assert_eq!(crowd.wait(32), None);
        crowd.committed(LARGEST_BATCH, LARGEST_BATCH, COMMIT);
        assert_eq!(crowd.wait(LARGEST_BATCH), None);
    }
}
