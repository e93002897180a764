//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// Long enough for a pod on a busy two-core machine; what takes longer has failed.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Tries `attempt` until it gives a value; panics with its last reason after [`DEADLINE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(reason) if started.elapsed() > DEADLINE => {
                panic!("{what}: not within {DEADLINE:?}: {reason}")
            }
            Err(_) => std::thread::park_timeout(Duration::from_millis(100)),
        }
    }
}
