//! Spans as Jaeger's query API shows them.
//!
//! Shapes: `internal/uimodel/model.go` of Jaeger; how OTLP becomes that: `pkg/translator/jaeger` of the OpenTelemetry
//! Collector's contributions, and <https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::otlp::{Kind, Outcome};
use crate::store::{Attribute, Event, Process, Span, TraceView, Value};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: &'a str,
    references: Vec<WireReference>,
    start_time: u64,
    duration: u64,
    tags: Vec<WireTag<'a>>,
    logs: Vec<WireLog<'a>>,
    #[serde(rename = "processID")]
    process_id: String,
    warnings: (),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireReference {
    ref_type: &'static str,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Serialize)]
struct WireTag<'a> {
    key: &'a str,
    r#type: &'static str,
    value: WireValue<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireValue<'a> {
    Text(&'a str),
    Owned(String),
    Bool(bool),
    Int(i64),
    Double(f64),
}

#[derive(Serialize)]
struct WireLog<'a> {
    timestamp: u64,
    fields: Vec<WireTag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireProcess<'a> {
    service_name: &'a str,
    tags: Vec<WireTag<'a>>,
}

/// Integers beyond it lose digits where numbers are doubles, so Jaeger writes them as strings.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Appends a span; its process is called `p` and a number.
pub(super) fn span(out: &mut Vec<u8>, view: &TraceView<'_>, trace: u128, span: &Span<'_>, process: usize) {
    let mut tags = scope(view, span.scope);
    tags.extend(attributes(view, &span.attributes));
    tags.extend(kind(span.kind).map(|kind| tag("span.kind", kind)));
    tags.extend(status(span.outcome));
    let state = [("otel.status_description", span.description), ("w3c.tracestate", span.state)];
    let state = state.map(|(key, text)| tag(key, view.text(text)));
    tags.extend(state.into_iter().filter(|tag| !matches!(tag.value, WireValue::Text(""))));
    let wire = WireSpan {
        trace_id: trace_id(trace),
        span_id: span_id(span.id),
        operation_name: view.text(span.name),
        references: references(trace, span),
        start_time: span.start / 1000,
        duration: span.duration / 1000,
        tags,
        logs: span.events.iter().map(|event| log(view, event)).collect(),
        process_id: format!("p{process}"),
        warnings: (),
    };
    write(out, &wire);
}

/// Appends a process.
pub(super) fn process(out: &mut Vec<u8>, view: &TraceView<'_>, process: &Process<'_>) {
    let tags = attributes(view, &process.attributes).collect();
    write(out, &WireProcess { service_name: view.text(process.service), tags });
}

pub(super) fn trace_id(id: u128) -> String {
    format!("{id:032x}")
}

fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

/// Writing to memory can't fail, and nothing here is a map with keys other than strings.
fn write(out: &mut Vec<u8>, wire: &impl Serialize) {
    let _ = serde_json::to_writer(out, wire);
}

/// The parent first, as readers expect it, then what the span is linked to.
fn references(trace: u128, span: &Span<'_>) -> Vec<WireReference> {
    let reference =
        |ref_type, trace, span| WireReference { ref_type, trace_id: trace_id(trace), span_id: span_id(span) };
    let parent = (span.parent != 0).then(|| reference("CHILD_OF", trace, span.parent));
    let links = span
        .links
        .iter()
        .map(|link| reference(if link.is_parent { "CHILD_OF" } else { "FOLLOWS_FROM" }, link.trace, link.span));
    parent.into_iter().chain(links).collect()
}

fn scope<'a>(view: &TraceView<'a>, scope: u32) -> Vec<WireTag<'a>> {
    let Some(scope) = view.scope(scope) else { return Vec::new() };
    let parts = [("otel.scope.name", scope.name), ("otel.scope.version", scope.version)];
    parts
        .into_iter()
        .map(|(key, text)| (key, view.text(text)))
        .filter(|(_, text)| !text.is_empty())
        .map(|(key, text)| tag(key, text))
        .collect()
}

fn kind(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Unspecified => None,
        Kind::Internal => Some("internal"),
        Kind::Server => Some("server"),
        Kind::Client => Some("client"),
        Kind::Producer => Some("producer"),
        Kind::Consumer => Some("consumer"),
    }
}

fn status<'a>(outcome: Outcome) -> Vec<WireTag<'a>> {
    match outcome {
        Outcome::Unset => Vec::new(),
        Outcome::Fine => vec![tag("otel.status_code", "OK")],
        Outcome::Failed => {
            let error = WireTag { key: "error", r#type: "bool", value: WireValue::Bool(true) };
            vec![tag("otel.status_code", "ERROR"), error]
        }
    }
}

fn log<'a>(view: &TraceView<'a>, event: &Event<'a>) -> WireLog<'a> {
    let named = event.attributes.iter().any(|attribute| view.text(attribute.key) == "event");
    let name = Some(view.text(event.name)).filter(|name| !name.is_empty() && !named);
    let fields = name.map(|name| tag("event", name)).into_iter().chain(attributes(view, &event.attributes));
    WireLog { timestamp: event.time / 1000, fields: fields.collect() }
}

fn attributes<'v, 'a>(
    view: &'v TraceView<'a>,
    attributes: &'v [Attribute<'a>],
) -> impl Iterator<Item = WireTag<'a>> + 'v {
    attributes.iter().map(|attribute| {
        let (r#type, value) = value(view, attribute.value);
        WireTag { key: view.text(attribute.key), r#type, value }
    })
}

fn value<'a>(view: &TraceView<'a>, value: Value<'a>) -> (&'static str, WireValue<'a>) {
    match value {
        Value::Empty => ("string", WireValue::Text("")),
        Value::Text(text) => ("string", WireValue::Text(view.text(text))),
        Value::Bool(value) => ("bool", WireValue::Bool(value)),
        Value::Int(value) if value.unsigned_abs() > SAFE_INTEGER => ("int64", WireValue::Owned(value.to_string())),
        Value::Int(value) => ("int64", WireValue::Int(value)),
        Value::Double(value) => ("float64", WireValue::Double(value)),
        Value::Bytes(bytes) => ("binary", WireValue::Owned(STANDARD.encode(bytes))),
    }
}

fn tag<'a>(key: &'a str, text: &'a str) -> WireTag<'a> {
    WireTag { key, r#type: "string", value: WireValue::Text(text) }
}
