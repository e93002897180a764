//! The half of the chain that needs no helm: goldens = typed objects, schemas = types, and every value is toggled by a case.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../support/mod.rs"]
mod support;

mod coverage;
mod goldens;
mod hardening;
mod schemas;
mod typed;
