//! What the services and msctl agree on: ports, paths, bodies and the shape of an error.
//!
//! Data only: no HTTP library, no client, no server.

pub mod a;
pub mod admin;
pub mod b;
pub mod message;
mod problem;

pub use problem::Problem;

/// The media type of the seed's answers: no charset, to the byte.
pub const TEXT_PLAIN: &str = "text/plain";
