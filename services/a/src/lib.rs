//! Service A: greets, and calls service B.
//!
//! `config` is what it reads from its environment, `state` what its handlers share, `routes` one file a route. What
//! makes it run in production (limits, probes, drain) is the `runtime` crate's.

mod config;
mod routes;
mod state;

pub use config::Config;
pub use routes::app;

/// What the binary is.
pub const PROGRAM: runtime::Program = runtime::Program {
    name: api::a::NAME,
    version: env!("CARGO_PKG_VERSION"),
    about: "greets, and calls service B",
    port: api::a::PORT,
    admin_port: api::a::ADMIN_PORT,
};
