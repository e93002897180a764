//! Both databases with a small service's statements: what is the same for both, then the troubles of each.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

mod both;
mod collector;
mod disk;
mod limit;
mod postgres;
mod processes;
mod reads;
mod silent;
mod sqlite;
mod store;
mod tls;
mod trace;
