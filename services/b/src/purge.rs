//! Forgets what is older than the retention, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::counts::Counts;
use crate::store::Store;

/// Rows that one transaction looks at: few enough that the requests beside it do not notice.
const AT_ONCE: u32 = 500;

/// Between two looks when nothing is due. A minute more does not matter to what is kept for hours; a short retention is
/// kept as closely as it asks for.
fn interval(retention: Duration) -> Duration {
    (retention / 10).clamp(Duration::from_millis(100), Duration::from_mins(1))
}

/// Never returns. A database that is away is tried again at the next look; it tells of itself elsewhere.
pub(crate) async fn run(store: Arc<dyn Store>, retention: Duration, counts: Counts) {
    loop {
        sleep(interval(retention)).await;
        while let Ok(forgotten @ 1..) = store.purge(retention, AT_ONCE).await {
            counts.purged.inc_by(forgotten);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_a_minute_apart_at_most_and_closer_for_a_short_retention() {
        assert_eq!(interval(Duration::from_hours(168)), Duration::from_mins(1));
        assert_eq!(interval(Duration::from_secs(10)), Duration::from_secs(1));
        assert_eq!(interval(Duration::from_millis(1)), Duration::from_millis(100));
    }
}
