//! A pause that all deliveries share while the receiver is away.
//!
//! Each message backs off by itself; but with thousands of them that alone would be a storm of connections at a
//! receiver that is down, and an UPDATE for each of them every few hundred milliseconds. So failures that say "nobody
//! can be served" (no connection, no answer, 429, 503) also close this gate when they follow each other. While it is
//! closed one message at a time goes through, after a pause that doubles up to [`LONGEST`]: it finds out when the
//! receiver is back. The first answer of any other kind opens the gate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Failures in a row that close it.
const FAILURES: u32 = 8;
const SHORTEST: Duration = Duration::from_millis(200);
/// How long a receiver that is back may stay unnoticed.
const LONGEST: Duration = Duration::from_secs(2);
/// What the receiver may ask for in `Retry-After`.
const LONGEST_ASKED: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    closed: Option<Closed>,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    since: Instant,
    until: Instant,
    round: u32,
    /// Somebody is finding out.
    probing: bool,
}

/// The right to make one delivery; how it ended has to be told, else the next one may try.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    probe: bool,
}

/// Whether deliveries may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// From this time on one message may find out.
    Closed(Instant),
}

impl Gate {
    pub(crate) fn way(&self) -> Way {
        self.with(|state| state.closed.map_or(Way::Open, |closed| Way::Closed(closed.until)))
    }

    /// How long it has been closed.
    pub(crate) fn closed_for(&self) -> Option<Duration> {
        self.with(|state| state.closed.map(|closed| closed.since.elapsed()))
    }

    /// Waits until a delivery may begin.
    pub(crate) async fn pass(&self) -> Pass<'_> {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // Listens before it looks: what changes in between is not missed.
            changed.as_mut().enable();
            let now = Instant::now();
            let until = self.with(|state| match &mut state.closed {
                None => Ok(false),
                Some(closed) if !closed.probing && closed.until <= now => {
                    closed.probing = true;
                    Ok(true)
                }
                Some(closed) if closed.probing => Err(None),
                Some(closed) => Err(Some(closed.until)),
            });
            match until {
                Ok(probe) => return Pass { gate: self, probe },
                Err(None) => changed.await,
                Err(Some(until)) => {
                    let _ = timeout_at(until, changed).await;
                }
            }
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pass<'_> {
    /// The receiver is there, whatever it thinks of this message. Whether the gate was closed.
    pub(crate) fn answered(self) -> bool {
        let opened = self.gate.with(|state| {
            state.failures = 0;
            state.closed.take().is_some()
        });
        if opened {
            self.gate.changed.notify_waiters();
        }
        opened
    }

    /// The receiver is away, and `asked` for this much time. Whether this closed the gate.
    pub(crate) fn away(mut self, asked: Option<Duration>) -> bool {
        let probe = std::mem::take(&mut self.probe);
        let closed_now = self.gate.with(|state| {
            state.failures = state.failures.saturating_add(1);
            let now = Instant::now();
            let (since, round) = match state.closed {
                // One of those that were under way when it closed.
                Some(_) if !probe => return false,
                Some(closed) => (closed.since, closed.round + 1),
                None if state.failures < FAILURES => return false,
                None => (now, 0),
            };
            let pause = pause(round, rand::random_range(0.5..=1.0)).max(asked.unwrap_or_default().min(LONGEST_ASKED));
            state.closed = Some(Closed { since, until: now + pause, round, probing: false });
            round == 0
        });
        if probe {
            self.gate.changed.notify_waiters();
        }
        closed_now
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.gate.with(|state| state.closed.iter_mut().for_each(|closed| closed.probing = false));
            self.gate.changed.notify_waiters();
        }
    }
}

fn pause(round: u32, chance: f64) -> Duration {
    SHORTEST.saturating_mul(1 << round.min(8)).min(LONGEST).mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn close(gate: &Gate) {
        for nth in 1..=FAILURES {
            assert_eq!(gate.pass().await.away(None), nth == FAILURES);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_close_it_and_one_delivery_finds_out() {
        let gate = Gate::default();
        close(&gate).await;
        let closed = Instant::now();

        let probe = gate.pass().await;
        let waited = closed.elapsed();
        assert!((SHORTEST / 2..=SHORTEST + Duration::from_millis(2)).contains(&waited), "{waited:?}");
        let second = tokio::time::timeout(Duration::from_mins(1), gate.pass()).await;
        assert!(second.is_err(), "only one goes through");

        assert!(probe.answered());
        assert_eq!((gate.way(), gate.closed_for()), (Way::Open, None));
        gate.pass().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_stays_away_sees_one_delivery_in_at_most_two_seconds() {
        let gate = Gate::default();
        close(&gate).await;
        let closed = Instant::now();
        let mut probes = 0;
        while closed.elapsed() < Duration::from_mins(1) {
            assert!(!gate.pass().await.away(None));
            probes += 1;
        }
        assert_eq!(gate.closed_for(), Some(closed.elapsed()));
        assert!((30..=70).contains(&probes), "{probes}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_between_keeps_it_open() {
        let gate = Gate::default();
        for _ in 0..10 {
            for _ in 1..FAILURES {
                assert!(!gate.pass().await.away(None));
            }
            assert!(!gate.pass().await.answered());
        }
        assert_eq!(gate.way(), Way::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_lets_the_next_one_try() {
        let gate = Gate::default();
        close(&gate).await;
        drop(gate.pass().await);
        let _next = tokio::time::timeout(Duration::from_secs(1), gate.pass()).await.expect("the next one's turn");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_receiver_asks_for_is_waited_out() {
        let gate = Gate::default();
        for _ in 0..FAILURES {
            gate.pass().await.away(Some(Duration::from_secs(20)));
        }
        let closed = Instant::now();
        let _probe = gate.pass().await;
        assert!(closed.elapsed() >= Duration::from_secs(20));
    }
}
