//! A trace for programs: what `-o json` and `-o yaml` print.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::span::Outcome;
use super::tree::{Entry, Placed, Tree};
use super::whole::Gap;
use super::{Kind, Link, SpanId, TraceId};

/// One trace. Spans are a list in the tree's order, not nested: a trace may be deeper than a JSON
/// reader follows, and `.spans[] | select(…)` is shorter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    pub(crate) trace_id: TraceId,
    /// RFC 3339, by the clock of the root's machine.
    pub(crate) start: Option<String>,
    pub(crate) duration_micros: u64,
    pub(crate) services: Vec<&'a str>,
    /// No span is known to be missing.
    pub(crate) whole: bool,
    /// What is missing, in words.
    pub(crate) missing: Vec<String>,
    pub(crate) spans: Vec<SpanReport<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpanReport<'a> {
    pub(crate) span_id: SpanId,
    pub(crate) parent_span_id: Option<SpanId>,
    /// Steps from the root; a span whose parent is missing is at 1.
    pub(crate) depth: usize,
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    /// From the trace's start, after `shiftMicros`.
    pub(crate) offset_micros: u64,
    pub(crate) duration_micros: u64,
    /// Added to the span's own start because its clock differs from its parent's.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) shift_micros: i64,
    pub(crate) failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'a str>,
    pub(crate) attributes: &'a BTreeMap<String, Value>,
    /// Other spans that it has to do with, of this trace or another.
    #[serde(skip_serializing_if = "<[Link]>::is_empty")]
    pub(crate) links: &'a [Link],
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(shift: &i64) -> bool {
    *shift == 0
}

impl<'a> Report<'a> {
    pub(crate) fn new(tree: &'a Tree, gaps: &[Gap]) -> Self {
        let (start, end) = tree.bounds();
        let spans = tree.rows.iter().filter_map(|row| match &row.entry {
            Entry::Span(placed) => Some(SpanReport::new(placed, row.depth, start)),
            Entry::Missing(_) => None,
        });
        Self {
            trace_id: tree.id,
            start: timestamp(start),
            duration_micros: end - start,
            services: tree.services(),
            whole: gaps.is_empty(),
            missing: gaps.iter().map(ToString::to_string).collect(),
            spans: spans.collect(),
        }
    }
}

/// `None` for what is no time of this era.
fn timestamp(micros: u64) -> Option<String> {
    let micros = i64::try_from(micros).ok().filter(|&micros| micros > 0)?;
    Timestamp::from_microsecond(micros).ok().map(|at| at.to_string())
}

impl<'a> SpanReport<'a> {
    fn new(placed: &'a Placed, depth: usize, trace_start: u64) -> Self {
        let span = &placed.span;
        Self {
            span_id: span.id,
            parent_span_id: span.parent,
            depth,
            service: &span.service,
            name: &span.name,
            kind: span.kind,
            offset_micros: placed.start() - trace_start,
            duration_micros: span.duration,
            shift_micros: placed.shift,
            failed: span.failed(),
            error: match &span.outcome {
                Outcome::Failed(reason) => reason.as_deref(),
                Outcome::Fine => None,
            },
            http_status: span.http_status(),
            pod: span.place.pod.as_deref(),
            namespace: span.place.namespace.as_deref(),
            node: span.place.node.as_deref(),
            version: span.place.version.as_deref(),
            attributes: &span.attributes,
            links: &span.links,
        }
    }
}
