//! What turns a router into a service that runs in production: listening, limits, health, readiness, the admin port,
//! and a shutdown that loses no request.
//!
//! A service's `main` is one call to [`launch`]. Tests take the parts: [`Server::bind`] on port 0, then
//! [`Server::run`] with a [`Shutdown`] of their own.
//!
//! The traffic port speaks HTTP/1.1 only. What hyper leaves open is closed here: see `wire` in the source for heads
//! that stay half open, contradictory framing and missing hosts, and [`Limits`] for every bound and its default.

mod accept;
mod admin;
mod app;
mod config;
mod connection;
mod drain;
mod exchange;
mod health;
mod intake;
mod json;
mod launch;
mod listen;
mod overload;
mod serve;
mod shutdown;
mod wire;

pub mod env;
pub mod problem;

pub use app::{App, Context};
pub use config::{Limits, ServeConfig};
pub use health::{Condition, Health, Readiness};
pub use json::Json;
pub use launch::{Program, launch};
pub use listen::ListenError;
pub use problem::Failure;
pub use serve::{Drained, ServeError, Server, serve};
pub use shutdown::{Shutdown, Trigger};
