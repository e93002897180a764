//! Named points at which a test makes a process die, and planted faults that a test must find.
//!
//! Both are there with the feature `enabled` only; without it every call compiles to nothing.

/// Passes the point `name`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "without the feature there is nothing to call")]
pub fn hit(_name: &'static str) {}

/// Whether the fault `name` is planted.
#[inline(always)]
#[expect(clippy::inline_always, reason = "without the feature there is nothing to call")]
pub const fn planted(_name: &'static str) -> bool {
    false
}
