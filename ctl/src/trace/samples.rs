//! Spans for the tests of this module.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::span::{Kind, Link, Outcome, Place, Span, Trace};
use super::{SpanId, TraceId, Tree};

pub(super) fn span_id(id: u64) -> SpanId {
    SpanId::new(id).unwrap()
}

pub(super) fn trace_id() -> TraceId {
    "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap()
}

/// A span that started `start` microseconds into the trace.
pub(super) fn span(id: u64, parent: u64, title: &str, kind: Kind, start: u64, duration: u64) -> Span {
    let (service, name) = title.split_once(' ').unwrap();
    Span {
        id: span_id(id),
        parent: SpanId::new(parent),
        service: service.to_owned(),
        name: name.to_owned(),
        kind,
        start: 1_700_000_000_000_000 + start,
        duration,
        outcome: Outcome::Fine,
        place: Place::default(),
        attributes: BTreeMap::new(),
        links: Vec::new(),
    }
}

impl Span {
    pub(super) fn with(mut self, attribute: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(attribute.to_owned(), value.into());
        self
    }

    pub(super) fn answered(self, status: u16) -> Self {
        self.with("http.response.status_code", json!(status))
    }

    pub(super) fn on_database(self, system: &str) -> Self {
        self.with("db.system.name", system)
    }

    /// Linked to a span of another trace.
    pub(super) fn linked(mut self, trace: &str, span: u64) -> Self {
        self.links.push(Link { trace: trace.parse().unwrap(), span: span_id(span) });
        self
    }

    pub(super) fn failed_with(mut self, reason: &str) -> Self {
        self.outcome = Outcome::Failed(Some(reason.to_owned()));
        self
    }

    pub(super) fn on(mut self, pod: &str, version: &str) -> Self {
        self.place.pod = Some(pod.to_owned());
        self.place.version = Some(version.to_owned());
        self
    }
}

pub(super) fn tree(spans: Vec<Span>) -> Tree {
    Tree::build(Trace { id: trace_id(), spans })
}

pub(super) const POD_A: &str = "service-a-6b7f9c5d8d-x2x4z";
pub(super) const POD_B: &str = "service-b-7c9d8f6b5-q8w7e";

/// `msctl call service-a/service-b`, whole.
pub(super) fn hop() -> Vec<Span> {
    vec![
        span(1, 0, "msctl call", Kind::Internal, 0, 31_400).with("service.version", "0.1.0"),
        span(2, 1, "msctl GET", Kind::Client, 24_100, 7_100).answered(200).with("server.address", "service-a"),
        span(3, 2, "service-a GET /service-b", Kind::Server, 26_900, 3_900).answered(200).on(POD_A, "0.1.0"),
        span(4, 3, "service-a GET", Kind::Client, 27_200, 3_300)
            .answered(200)
            .with("server.address", "service-b")
            .on(POD_A, "0.1.0"),
        span(5, 4, "service-b GET /", Kind::Server, 29_000, 210).answered(200).on(POD_B, "0.1.0"),
    ]
}

/// The trace of the batch that a message was committed with.
pub(super) const BATCH: &str = "00000000000000000000000000000b47";

/// `msctl call service-a/messages -d … --async`: answered at once, and delivered after that.
pub(super) fn message() -> Vec<Span> {
    vec![
        span(1, 0, "msctl call", Kind::Internal, 0, 21_400).with("service.version", "0.1.0"),
        span(2, 1, "msctl POST", Kind::Client, 3_100, 6_200).answered(202).with("server.address", "service-a"),
        span(3, 2, "service-a POST /messages", Kind::Server, 4_000, 4_400).answered(202).on(POD_A, "0.1.0"),
        span(4, 3, "service-a INSERT messages", Kind::Client, 4_200, 3_900)
            .on_database("postgresql")
            .linked(BATCH, 9)
            .on(POD_A, "0.1.0"),
        span(5, 3, "service-a POST /events", Kind::Client, 8_500, 5_100)
            .answered(201)
            .with("server.address", "service-b")
            .on(POD_A, "0.1.0"),
        span(6, 5, "service-b POST /events", Kind::Server, 9_300, 3_800).answered(201).on(POD_B, "0.1.0"),
        span(7, 6, "service-b INSERT messages", Kind::Client, 9_500, 3_400)
            .on_database("sqlite")
            .linked("00000000000000000000000000000b48", 3)
            .on(POD_B, "0.1.0"),
    ]
}
