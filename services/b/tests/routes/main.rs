//! B over real HTTP.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

#[path = "../support/mod.rs"]
mod support;

mod away;
mod client;
mod events;
mod lists;
mod locked;
mod refused;
mod remembering;
