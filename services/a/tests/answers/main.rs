//! Service A, seen from its socket.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

mod seed;
mod service_b;
mod support;
