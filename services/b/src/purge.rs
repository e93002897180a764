//! Forgets what is older than the retention, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::counts::Counts;
use crate::store::{Store, Sweep, Swept};

/// Rows that one transaction looks at: few enough that the requests beside it do not notice.
const AT_ONCE: u32 = 200;

/// Where so many events come beside it that this is too few, it looks at more: up to as many as may wait for the writer,
/// and so come while a purge waits among them.
const MOST: u32 = 4096;

/// The pause after each, in times of what it took: a backlog gets a tenth of the writer's time, and requests the rest.
const PAUSES: u32 = 9;

/// The longest pause. What a purge took is mostly its turn where the writer is busy: that is when most falls due.
const LONGEST: Duration = Duration::from_millis(100);

/// How often a pause looks at what came meanwhile.
const TICK: Duration = Duration::from_millis(5);

/// Between two looks when nothing is due. A minute more does not matter to what is kept for hours; a short retention is
/// kept as closely as it asks for.
fn interval(retention: Duration) -> Duration {
    (retention / 10).clamp(Duration::from_millis(100), Duration::from_mins(1))
}

/// Never returns. A database that is away is tried again at the next look; it tells of itself elsewhere.
pub(crate) async fn run(store: Arc<dyn Store>, retention: Duration, counts: Counts) {
    loop {
        sleep(interval(retention)).await;
        let (mut from, mut span) = (Some(i64::MIN), AT_ONCE);
        while let Some(after) = from {
            let (began, before) = (Instant::now(), counts.applied());
            let swept = store.purge(Sweep { after, keep: retention, span }).await;
            let Ok(Swept { forgotten, next }) = swept else { break };
            counts.purged.inc_by(forgotten);
            from = next;
            span = pause(began.elapsed(), || counts.applied() - before).await;
        }
    }
}

/// Waits after a purge that `took` so long, and says how many rows the next is to look at: two for each event that
/// `came` since it began. So what is kept can't grow for long, however busy the writer is.
async fn pause(took: Duration, came: impl Fn() -> u64) -> u32 {
    let until = Instant::now() + (took * PAUSES).min(LONGEST);
    let wanted = || u32::try_from(came().saturating_mul(2)).unwrap_or(MOST);
    while Instant::now() < until && wanted() < AT_ONCE {
        sleep_until(until.min(Instant::now() + TICK)).await;
    }
    wanted().clamp(AT_ONCE, MOST)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use api::message::Outcome;

    use super::*;
    use crate::store::double::Double;

    #[tokio::test(start_paused = true)]
    async fn a_backlog_is_purged_in_a_tenth_of_the_time() {
        const TAKES: Duration = Duration::from_millis(10);
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
    async fn a_purge_that_waits_long_for_its_turn_makes_no_longer_pause() {
        const TAKES: Duration = Duration::from_millis(400);
        let store = Arc::new(Double { takes: TAKES, rows: 1_000_000.into(), ..Double::default() });
        let purging = tokio::spawn(run(store.clone(), Duration::from_secs(100), Counts::default()));
        sleep(Duration::from_secs(10) + (TAKES + LONGEST) * 20).await;
        let purges = store.purges.load(Ordering::Relaxed);
        assert!((19..=21).contains(&purges), "{purges}");
        purging.abort();
    }

    /// As many events fall due as come, and the purge has to wait for its turn among them.
    #[tokio::test(start_paused = true)]
    async fn as_much_is_purged_as_comes_however_much_that_is() {
        const RETENTION: Duration = Duration::from_secs(10);
        for (a_second, takes) in [(500, 2), (5_500, 20), (20_000, 50), (40_000, 100)] {
            let takes = Duration::from_millis(takes);
            let store = Arc::new(Double { takes, ..Double::default() });
            let counts = Counts::default();
            let purging = tokio::spawn(run(store.clone(), RETENTION, counts.clone()));
            for _ in 0..2_000 {
                sleep(Duration::from_millis(10)).await;
                (0..a_second / 100).for_each(|_| counts.count(Outcome::Applied));
                store.rows.fetch_add(a_second / 100, Ordering::Relaxed);
            }
            let late = store.rows.load(Ordering::Relaxed);
            assert!(late <= a_second * 2, "{late} are late where {a_second} come a second");
            purging.abort();
        }
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
