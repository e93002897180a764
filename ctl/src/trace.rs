//! Traces: asking Jaeger for one, putting its spans into a tree, seeing what is missing, drawing
//! it. Everything but `query` is pure.

mod id;
mod jaeger;
mod layout;
mod query;
mod render;
mod report;
mod span;
mod text;
mod tree;
mod whole;

pub use id::{SpanId, TraceId};
pub use layout::{Letters, Screen};
pub use query::{QueryApi, QueryError};
pub use render::render;
pub use report::Report;
pub use span::{Kind, Span, Trace};
pub use tree::Tree;
pub use whole::{Gap, gaps};

#[cfg(test)]
mod samples;
