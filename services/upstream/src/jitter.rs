//! Randomness that nothing depends on but the spread of clients in time.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Evenly between nothing and `most`.
///
/// The standard library's hash keys are random for each process and different for each call: enough here, and no
/// generator has to be linked for it.
pub(crate) fn up_to(most: Duration) -> Duration {
    let [high, low, ..] = RandomState::new().hash_one(()).to_be_bytes();
    most.mul_f64(f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX))
}

/// The pause before retry number `retry` (from 0): full jitter over 25 ms, doubling.
pub(crate) fn backoff(retry: u32) -> Duration {
    up_to(Duration::from_millis(25) * 2_u32.saturating_pow(retry.min(6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spread_over_the_whole_range() {
        let most = Duration::from_secs(1);
        let drawn: Vec<_> = (0..1_000).map(|_| up_to(most)).collect();
        assert!(drawn.iter().all(|d| *d <= most));
        assert!(drawn.iter().any(|d| *d < most / 10) && drawn.iter().any(|d| *d > most * 9 / 10));
    }
}
