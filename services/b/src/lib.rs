//! Service B: greets, and applies each event it is sent once.
//!
//! `config` is what it reads from its environment, `state` what its handlers share, `routes` one file a route, `store`
//! what its database is asked, `tally` and `purge` how often it is asked for what takes time from requests, `openapi`
//! what it says of itself. What makes it run in production (limits, probes, drain) is the `runtime` crate's.

mod config;
mod counts;
mod openapi;
mod purge;
mod routes;
mod state;
pub mod store;
mod tally;

pub use config::Config;
pub use routes::app;

/// What the binary is.
pub const PROGRAM: runtime::Program = runtime::Program {
    name: api::b::NAME,
    version: env!("CARGO_PKG_VERSION"),
    about: "greets, and applies each event it is sent once",
    port: api::b::PORT,
    admin_port: api::b::ADMIN_PORT,
};
