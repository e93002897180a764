//! How long a message waits for its next delivery.

use std::time::Duration;

/// The pause after a first failure is at most this long.
const FIRST: Duration = Duration::from_millis(100);
/// No pause is longer, unless the receiver asks for more.
const LONGEST: Duration = Duration::from_mins(1);
/// No pause is shorter: a claim is a commit.
const SHORTEST: Duration = Duration::from_millis(10);
/// What a receiver may ask for. Beyond it the header is a mistake, and the message would wait for nothing.
const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// The pause after `attempts` failed ones: anything up to a bound that doubles each time ("full jitter"), so that
/// messages that failed together don't come back together. At least what the receiver `asked` for.
pub(crate) fn pause(attempts: u32, asked: Option<Duration>) -> Duration {
    jittered(attempts, rand::random_range(0.0..=1.0)).max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

fn jittered(attempts: u32, chance: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let bound = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    bound.mul_f64(chance).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_from_100_ms_to_a_minute() {
        let bounds: Vec<_> = (1..=12).map(|attempts| jittered(attempts, 1.0).as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000]);
        assert_eq!(jittered(u32::MAX, 1.0), LONGEST);
        assert_eq!(jittered(1, 0.0), SHORTEST);
    }

    #[test]
    fn what_the_receiver_asks_for_is_waited_out_within_reason() {
        assert!(pause(1, Some(Duration::from_secs(7))) >= Duration::from_secs(7));
        assert!(pause(1, Some(Duration::from_hours(24))) <= LONGEST_ASKED);
    }
}
