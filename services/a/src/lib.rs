//! Service A: greets, calls service B, and takes messages that it delivers to B.
//!
//! `config` is what it reads from its environment, `state` what its handlers share, `routes` one file a route,
//! `messages` what becomes of a message that is posted, `store` its database, `openapi` what it says of itself. What
//! makes it run in production (limits, probes, drain) is the `runtime` crate's; how messages get to B is the `outbox`
//! crate's.

mod config;
mod messages;
mod openapi;
mod routes;
mod state;
#[doc(hidden)]
pub mod store;

pub use config::{Config, MessagesConfig};
pub use routes::{Stop, app};

/// What the binary is.
pub const PROGRAM: runtime::Program = runtime::Program {
    name: api::a::NAME,
    version: env!("CARGO_PKG_VERSION"),
    about: "greets, calls service B, and delivers messages to it",
    port: api::a::PORT,
    admin_port: api::a::ADMIN_PORT,
};

/// `User-Agent` of all its requests.
const USER_AGENT: &str = concat!("service-a/", env!("CARGO_PKG_VERSION"));
