//! What is sent: batches as services A and B send them, and the worst that a body can hold.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Link};
use prost::Message as _;

/// Spans of a batch.
pub(crate) const SPANS: usize = 512;
const TRACES_A_BLOCK: u64 = 512;
/// Below what the receiver takes.
const LONGEST: usize = (8 << 20) - 1024;

/// The batches of some traces: three of service A, two of B.
pub(crate) fn block(block: u64) -> Vec<Bytes> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for index in 0..TRACES_A_BLOCK {
        let trace = Trace { number: block * TRACES_A_BLOCK + index };
        let message = format!("0199aa00-0000-7000-8000-{:012x}", trace.number);
        let parent = trace.id(9);
        a.push(trace.span(1, &parent, "POST /messages", 2, server("/messages", "/messages", "service-a", 8000, 201)));
        let mut insert =
            trace.span(2, &trace.id(1), "INSERT messages", 3, statement("INSERT messages, outbox", "sqlite"));
        insert.links.push(Link { trace_id: vec![7; 16], span_id: vec![3; 8], ..Link::default() });
        a.push(insert);
        let mut call = client("service-b", 8001, 201);
        call.push(text("messaging.message.id", &message));
        a.push(trace.span(3, &trace.id(1), "POST /events", 3, call));
        b.push(trace.span(4, &trace.id(3), "POST /events", 2, server("/events", "/events", "service-b", 8001, 201)));
        b.push(trace.span(5, &trace.id(4), "INSERT messages", 3, statement("INSERT inbox, messages", "sqlite")));
    }
    let batches = |service: &str, spans: Vec<Span>| -> Vec<Bytes> {
        spans.chunks(SPANS).map(|spans| request(service, spans.to_vec())).collect()
    };
    // B's come first out of the pop.
    [batches("service-a", a), batches("service-b", b)].concat()
}

struct Trace {
    number: u64,
}

impl Trace {
    /// Spread over all bits, as random ids are.
    fn id(&self, span: u64) -> Vec<u8> {
        ((self.number * 16 + span).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).to_be_bytes().to_vec()
    }

    fn span(&self, id: u64, parent: &[u8], name: &str, kind: i32, attributes: Vec<KeyValue>) -> Span {
        let start = 1_763_832_000_000_000_000 + self.number * 250_000 + id * 1_000;
        Span {
            trace_id: [self.id(0), self.id(8)].concat(),
            span_id: self.id(id),
            parent_span_id: parent.to_vec(),
            flags: 0x101,
            name: name.to_owned(),
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: start + 1_234_567 / id,
            attributes,
            ..Span::default()
        }
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn server(route: &str, path: &str, host: &str, port: i64, status: i64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "POST"),
        text("http.route", route),
        text("url.path", path),
        text("url.scheme", "http"),
        text("network.protocol.version", "1.1"),
        text("server.address", host),
        int("server.port", port),
        text("user_agent.original", "msctl/0.1.0"),
        text("client.address", "127.0.0.1"),
        int("http.response.status_code", status),
    ]
}

fn client(host: &str, port: i64, status: i64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", "POST"),
        text("url.full", &format!("http://{host}:{port}/events")),
        text("server.address", host),
        int("server.port", port),
        text("network.protocol.version", "1.1"),
        int("http.response.status_code", status),
    ]
}

fn statement(summary: &str, system: &str) -> Vec<KeyValue> {
    vec![
        text("db.system.name", system),
        text("db.operation.name", "INSERT"),
        text("db.collection.name", "messages"),
        text("db.query.summary", summary),
        int("db.operation.batch.size", 12),
    ]
}

fn request(service: &str, spans: Vec<Span>) -> Bytes {
    let resource = Resource {
        attributes: vec![
            text("service.name", service),
            text("service.version", "0.1.0"),
            text("service.instance.id", "0199aa00-1111-7000-8000-000000000001"),
            text("k8s.pod.name", &format!("{service}-1-x7k2f")),
            text("k8s.namespace.name", "demo"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.language", "rust"),
            text("telemetry.sdk.version", "0.33.1"),
        ],
        ..Resource::default()
    };
    let scope =
        InstrumentationScope { name: "telemetry".to_owned(), version: "0.1.0".to_owned(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// JSON that becomes longer as protobuf: spans of nothing.
pub(crate) fn small_json() -> Bytes {
    let mut body = String::with_capacity(LONGEST);
    body.push_str(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}"#);
    while body.len() < LONGEST {
        body.push_str(",{}");
    }
    body.push_str("]}]}]}");
    body.into()
}

/// Spans of nothing but their ids, each a trace of its own.
pub(crate) fn small_traces() -> Bytes {
    let span = |number: u64| Span {
        trace_id: Trace { number }.id(1).repeat(2),
        span_id: Trace { number }.id(2),
        ..Span::default()
    };
    let spans = (0..LONGEST as u64 / 32).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}
