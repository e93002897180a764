//! Messages over real HTTP: A with a database of its own, and a double of B.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

mod answers;
mod away;
mod client;
mod database_trouble;
mod dead;
mod delivery;
mod double;
mod idempotency;
mod input;
mod load;
mod replicas;
mod service;
mod slow_database;
