//! A served router, seen from its socket.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

mod answers;
mod bodies;
mod drain;
mod heads;
mod support;
