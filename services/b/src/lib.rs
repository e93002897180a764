//! Service B: greets.
//!
//! What makes it run in production (limits, probes, drain) is the `runtime` crate's.

mod routes;

pub use routes::app;
use runtime::env::Env;

/// What the binary is.
pub const PROGRAM: runtime::Program = runtime::Program {
    name: api::b::NAME,
    version: env!("CARGO_PKG_VERSION"),
    about: "greets",
    port: api::b::PORT,
    admin_port: api::b::ADMIN_PORT,
};

/// B has no variables beyond those of every service.
#[derive(Clone, Copy, Debug)]
pub struct Config {}

impl Config {
    pub fn read(_env: &mut Env<'_>) -> Self {
        Self {}
    }
}
