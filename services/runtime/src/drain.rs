//! Where the service is on its way out, known to every connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

/// The steps of a shutdown, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Serving,
    /// Readiness fails, endpoints propagate: everything is served, and each answer asks its client to leave.
    Leaving,
    /// No new connections; idle ones are closed, requests in flight go on.
    Draining,
    /// The deadline has passed: what is left is dropped.
    Cut,
}

/// The current phase, shared: read for every request, waited for by every connection.
#[derive(Clone, Debug)]
pub(crate) struct Drain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // Beside the channel, because reading a channel takes a lock, and every request reads the phase.
    now: AtomicU8,
    changes: watch::Sender<Phase>,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { now: AtomicU8::new(Phase::Serving as u8), changes: watch::Sender::new(Phase::Serving) }))
    }

    /// Goes on to `phase`; never back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.now.fetch_max(phase as u8, Ordering::Release);
        self.0.changes.send_if_modified(|now| {
            let later = phase > *now;
            if later {
                *now = phase;
            }
            later
        });
    }

    /// Whether `phase` has begun.
    pub(crate) fn reached(&self, phase: Phase) -> bool {
        self.0.now.load(Ordering::Acquire) >= phase as u8
    }

    /// Waits until `phase` has begun.
    pub(crate) async fn until(&self, phase: Phase) {
        // The sender lives in `self`, so the channel can't close meanwhile.
        let _ = self.0.changes.subscribe().wait_for(|now| *now >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn phases_go_forward_only_and_wake_those_who_wait() {
        let drain = Drain::new();
        assert!(!drain.reached(Phase::Leaving));

        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.until(Phase::Draining).await }
        });
        drain.enter(Phase::Draining);
        drain.enter(Phase::Leaving);

        waiting.await.unwrap();
        assert!(drain.reached(Phase::Draining));
        assert!(!drain.reached(Phase::Cut));
    }
}
