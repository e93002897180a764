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

/// The media type of the services' other answers.
pub const JSON: &str = "application/json";

/// `GET`: what a service's traffic port answers to what, in `OpenAPI` 3.1. The same path on every service.
pub const OPENAPI_PATH: &str = "/openapi.json";
