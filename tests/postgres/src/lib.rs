//! A Postgres for tests, from the machine's own binaries: started in a temporary directory on a free loopback port,
//! killed and restarted at will, and gone with the process that started it, however that ends.
//!
//! - [`shared`]: one server for all tests of a process; each takes a fresh [`Database`] of it.
//! - [`private`]: a server of a test's own, which it may kill, restart and stop.
//!
//! [`Relay`] stands between a client and its server, and counts, freezes and cuts.
//!
//! Where there are no binaries both print the reason and give `None`; with `CLUSTER=required` they panic. The servers
//! accept everyone on loopback without a password.

mod account;
mod binaries;
mod database;
mod error;
mod guard;
mod options;
mod relay;
mod server;
mod shared;

pub use database::Database;
pub use error::Error;
pub use guard::Guard;
pub use options::{Fsync, Options};
pub use relay::Relay;
pub use server::{Kill, Server};
pub use shared::{URL, private, shared};
