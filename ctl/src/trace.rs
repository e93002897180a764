//! Traces: asking Jaeger for one, putting its spans into a tree, seeing what is missing, drawing
//! it. Everything but `query` is pure.

mod branches;
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

pub(crate) use id::{SpanId, TraceId};
pub(crate) use layout::{Letters, Screen};
pub(crate) use query::{QueryApi, QueryError};
pub(crate) use render::render;
pub(crate) use report::Report;
pub(crate) use span::{Kind, Link, Span, Trace};
pub(crate) use tree::Tree;
pub(crate) use whole::{Delivery, Gap, Known, gaps};

#[cfg(test)]
mod samples;
