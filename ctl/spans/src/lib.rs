//! Traces without a Jaeger: an OTLP/HTTP receiver, a bounded store in memory, and Jaeger's query API out of it.
//!
//! [`serve`] answers on one listener what exporters send and what readers ask:
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/traces` | OTLP 1.x, protobuf or JSON, plain or gzip: <https://opentelemetry.io/docs/specs/otlp/#otlphttp> |
//! | `GET /api/traces/{id}` | the trace as Jaeger answers it, or Jaeger's 404 |
//! | `GET /api/traces?service=…[&limit=…][&start=…][&end=…]` | traces that the service took part in, the latest start first; times in microseconds since 1970 |
//! | `GET /api/services` | names of the services that have spans here |
//!
//! # Memory
//! [`Store`] holds at most [`Limits::bytes`], and counts what it really takes. A span is some hundred packed bytes;
//! strings that come again, resources and scopes are kept once. Requests are read where they lie: nothing they say is
//! unfolded into a tree of objects, so that no small body becomes a large one. Answers are written piece by piece, while
//! the reader takes them.
//!
//! # When it is full
//! The trace that has been quiet for longest goes, whole: see [`Store`].

mod cursor;
mod otlp;
mod server;
mod store;

pub use server::{Config, serve, serve_with};
pub use store::{Limits, Stats, Store};
