//! How many copies there are.
//!
//! Neither database knows that without reading an index of all of them, and other reads wait meanwhile. So calls share
//! counts: who calls while one is being made waits for the next, which begins after a pause. An answer is never older
//! than its call, and however many call, counts take a tenth of the time that there is for reads; more only where one
//! takes so long that nobody would wait nine times that.

use std::sync::Arc;
use std::time::Duration;

use database::Error;
use telemetry::FutureExt as _;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::store::Store;

/// The pause after a count, in times of what it took.
const PAUSES: u32 = 9;

/// The longest pause: nobody waits for very long, however many copies there are.
const LONGEST: Duration = Duration::from_secs(5);

/// Counts, one at a time. Clones are handles to the same.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    store: Arc<dyn Store>,
    last: Arc<Mutex<Last>>,
}

#[derive(Debug)]
struct Last {
    count: Option<Count>,
    /// When the next may begin.
    next: Instant,
}

#[derive(Debug)]
struct Count {
    began: Instant,
    outcome: Result<u64, Error>,
}

impl Tally {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, last: Arc::new(Mutex::new(Last { count: None, next: Instant::now() })) }
    }

    /// How many there are, at some time between the call and the answer.
    pub(crate) async fn count(&self) -> Result<u64, Error> {
        let called = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(count) = last.count.as_ref().filter(|count| count.began > called) {
            return count.outcome.clone();
        }
        let store = Arc::clone(&self.store);
        let counting = async move {
            sleep_until(last.next).await;
            let began = Instant::now();
            let outcome = store.count().await;
            // Also after one that failed: a count that was ended because it took too long held up the other reads until then.
            let pause = (began.elapsed() * PAUSES).min(LONGEST);
            *last = Last { count: Some(Count { began, outcome: outcome.clone() }), next: Instant::now() + pause };
            outcome
        };
        // A task, which goes on when its caller goes: callers that come and go make no more counts than those that stay.
        let counting = tokio::spawn(counting.with_context(telemetry::Context::current()));
        counting.await.unwrap_or_else(|_| Err(Error::Unavailable { detail: "the count was given up".to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::task::JoinSet;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::store::double::Double;

    const TAKES: Duration = Duration::from_millis(100);

    fn tally() -> (Arc<Double>, Tally) {
        let store = Arc::new(Double { takes: TAKES, ..Double::default() });
        (store.clone(), Tally::new(store))
    }

    #[tokio::test(start_paused = true)]
    async fn calls_at_one_time_share_a_count_and_none_is_told_of_what_was_before_it() {
        let (store, tally) = tally();
        let mut calls = JoinSet::new();
        for call in 0..100_u64 {
            let (store, tally) = (store.clone(), tally.clone());
            calls.spawn(async move {
                sleep(Duration::from_millis(call)).await;
                let before = store.rows.fetch_add(1, Ordering::Relaxed) + 1;
                let told = tally.count().await.unwrap();
                assert!(told >= before, "{told} of {before}");
            });
        }
        calls.join_all().await;
        // The first, and one for those that came while it was being made.
        assert_eq!(store.counts.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_take_a_tenth_of_the_time_however_often_they_are_asked_for() {
        let (store, tally) = tally();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            tally.count().await.unwrap();
        }
        let counts = store.counts.load(Ordering::Relaxed);
        assert!((15..=21).contains(&counts), "{counts}");
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_go_away_have_no_more_counts_made() {
        let (store, tally) = tally();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let _ = timeout(Duration::from_millis(1), tally.count()).await;
        }
        let counts = store.counts.load(Ordering::Relaxed);
        assert!((15..=21).contains(&counts), "{counts}");
    }

    #[tokio::test(start_paused = true)]
    async fn counts_that_fail_after_a_while_take_no_more_of_the_time() {
        let (store, tally) = tally();
        store.too_large.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            tally.count().await.unwrap_err();
        }
        let counts = store.counts.load(Ordering::Relaxed);
        assert!((15..=21).contains(&counts), "{counts}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_told_of_at_once() {
        let (store, tally) = tally();
        store.away.store(true, Ordering::Relaxed);
        assert!(tally.count().await.is_err());
        store.away.store(false, Ordering::Relaxed);
        let begun = Instant::now();
        assert_eq!(tally.count().await, Ok(0));
        assert_eq!(begun.elapsed(), TAKES);
    }
}
