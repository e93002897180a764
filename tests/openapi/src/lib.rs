//! What the tests of both services' `OpenAPI` documents share.
//!
//! A service generates its document from its handlers' annotations. [`complete`] adds what no handler answers itself,
//! [`agree`] holds the checked-in file to it, [`routes`] finds what a router really serves.

mod answers;
mod checked_in;
mod common;
pub mod routes;

pub use answers::{Body, Database, Limit};
pub use checked_in::agree;
pub use common::complete;
