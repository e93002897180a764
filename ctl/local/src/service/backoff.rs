//! How long a crashed replica waits before it starts again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// A process that lived this long was well: its crash is a new one.
const WELL: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// The wait before the last start.
    last: Option<Duration>,
}

impl Backoff {
    /// After a process that lived so long.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        let next = match self.last {
            Some(last) if lived < WELL => (last * 2).min(LONGEST),
            _ => FIRST,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_half_a_minute_and_begins_anew_after_a_good_minute() {
        let mut backoff = Backoff::default();
        let mut after = |lived| backoff.after(Duration::from_secs(lived)).as_millis();
        assert_eq!([after(0), after(1), after(0)], [100, 200, 400]);
        for _ in 0..10 {
            after(59);
        }
        assert_eq!(after(0), 30_000);
        assert_eq!([after(60), after(0)], [100, 200]);
    }
}
