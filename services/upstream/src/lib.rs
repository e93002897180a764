//! Calling another service over HTTP/1.1.
//!
//! - [`send_request`] is one call and its whole answer; [`blocking::send_request`] is the same without async. Both are
//!   made of a [`Client`], as `msctl call` is, which needs more of it: headers, the tunnel, the body as it comes.
//! - [`Client`] is what services and tools keep: pooled connections, a deadline for each call, retries within a
//!   budget, a client span and trace context for each attempt. It is generic over the connector, so a call can also go
//!   through a tunnel.
//!
//! A call passes these stages, one file each: `client` (deadline and retries) → `attempt` (one try: span, headers,
//! what its failure means) → hyper's pool → `connector` (a new connection, and how long it may be kept). Choosing
//! among a service's endpoints and leaving out the bad ones belongs between `attempt` and the pool: an attempt already
//! knows how its predecessors ended.

mod attempt;
mod body;
mod budget;
mod client;
mod config;
mod connector;
mod error;
mod jitter;
mod seed;
mod worker;

pub mod blocking;

pub use body::Body;
pub use client::{Client, Template};
pub use config::Config;
pub use connector::Connector;
pub use error::{Error, Kind};
pub use hyper_util::client::legacy::connect::HttpConnector;
pub use seed::{Response, send_request};
