//! Named points at which a test makes a process die, and planted faults that a test must find.
//!
//! Both are there with the feature `enabled` only; without it every call compiles to nothing. With it, the environment
//! says what happens:
//!
//! - `FAILPOINTS=a.after_write=kill@37,b.before_write=sleep(50ms)@5`: on its 37th pass of `a.after_write` the process
//!   sends itself SIGKILL; on the fifth of `b.before_write` the thread sleeps. Without `@N` it is the first pass.
//! - `PLANTED_FAULT=no-sync`: [`planted`] is true for that name; several are separated by commas.
//!
//! A point that fires says so in one line on stderr, `failpoint a.after_write@37: kill`.

#[cfg(feature = "enabled")]
mod enabled;
#[cfg(any(test, feature = "enabled"))]
mod plan;

#[cfg(feature = "enabled")]
pub use enabled::{hit, planted};

/// Passes the point `name`: nothing, or death, or a sleep that blocks the thread.
#[cfg(not(feature = "enabled"))]
#[inline(always)]
pub fn hit(_name: &'static str) {}

/// Whether the fault `name` is planted.
#[cfg(not(feature = "enabled"))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "without the feature there is nothing to call")]
pub fn planted(_name: &'static str) -> bool {
    false
}
