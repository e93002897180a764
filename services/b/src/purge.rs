//! Forgets what is older than the retention, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::counts::Counts;
use crate::store::{Store, Sweep, Swept};

/// Rows that one transaction looks at: few enough that the requests beside it do not notice.
const AT_ONCE: u32 = 200;

/// The pause after each, in times of what it took: a backlog gets a tenth of the writer's time, and requests the rest.
const PAUSES: u32 = 9;

/// Between two looks when nothing is due. A minute more does not matter to what is kept for hours; a short retention is
/// kept as closely as it asks for.
fn interval(retention: Duration) -> Duration {
    (retention / 10).clamp(Duration::from_millis(100), Duration::from_mins(1))
}

/// Never returns. A database that is away is tried again at the next look; it tells of itself elsewhere.
pub(crate) async fn run(store: Arc<dyn Store>, retention: Duration, counts: Counts) {
    loop {
        sleep(interval(retention)).await;
        let mut from = Some(i64::MIN);
        while let Some(after) = from {
            let began = Instant::now();
            let swept = store.purge(Sweep { after, keep: retention, span: AT_ONCE }).await;
            let Ok(Swept { forgotten, next }) = swept else { break };
            counts.purged.inc_by(forgotten);
            from = next;
            sleep(began.elapsed() * PAUSES).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::store::double::Double;

    #[tokio::test(start_paused = true)]
    async fn a_backlog_is_purged_in_a_tenth_of_the_time() {
        const TAKES: Duration = Duration::from_millis(20);
        let store = Arc::new(Double { takes: TAKES, rows: 20_100.into(), ..Double::default() });
        let counts = Counts::default();
        let purging = tokio::spawn(run(store.clone(), Duration::from_secs(100), counts.clone()));
        // The first look comes after a tenth of the retention.
        sleep(Duration::from_secs(10) + TAKES * 10 * 50).await;
        let purges = store.purges.load(Ordering::Relaxed);
        assert!((49..=51).contains(&purges), "{purges}");

        sleep(TAKES * 10 * 51).await;
        assert_eq!((store.purges.load(Ordering::Relaxed), store.rows.load(Ordering::Relaxed)), (101, 0));
        assert_eq!(counts.purged.get(), 20_100);
        purging.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_asked_again_at_the_next_look() {
        let store = Arc::new(Double { away: true.into(), rows: 1.into(), ..Double::default() });
        let purging = tokio::spawn(run(store.clone(), Duration::from_secs(100), Counts::default()));
        sleep(Duration::from_secs(15)).await;
        store.away.store(false, Ordering::Relaxed);
        assert_eq!(store.rows.load(Ordering::Relaxed), 1);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(store.rows.load(Ordering::Relaxed), 0);
        purging.abort();
    }

    #[test]
    fn looks_are_a_minute_apart_at_most_and_closer_for_a_short_retention() {
        assert_eq!(interval(Duration::from_hours(168)), Duration::from_mins(1));
        assert_eq!(interval(Duration::from_secs(10)), Duration::from_secs(1));
        assert_eq!(interval(Duration::from_millis(1)), Duration::from_millis(100));
    }
}
