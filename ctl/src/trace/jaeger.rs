//! The answers of Jaeger's query API, as JSON, turned into spans.
//!
//! Shapes: `internal/uimodel/model.go` of Jaeger. Times and durations are microseconds. Resource
//! attributes are the tags of a span's process; its status and kind are tags of the span.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::id::IdError;
use super::span::{Kind, Outcome, Place};
use super::{Link, Span, SpanId, Trace, TraceId};

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Answer<T> {
    /// `null` in an error, but always there: that tells Jaeger's answers from other servers'.
    #[serde(deserialize_with = "null_as_empty")]
    pub(super) data: Vec<T>,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(super) errors: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub(super) msg: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTrace {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    spans: Vec<WireSpan>,
    #[serde(default, deserialize_with = "null_as_empty")]
    processes: HashMap<String, WireProcess>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default, rename = "parentSpanID")]
    parent_span_id: String,
    operation_name: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    references: Vec<WireReference>,
    start_time: u64,
    duration: u64,
    #[serde(default, deserialize_with = "null_as_empty")]
    tags: Vec<WireTag>,
    #[serde(default, deserialize_with = "null_as_empty")]
    logs: Vec<WireLog>,
    #[serde(default, rename = "processID")]
    process_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireReference {
    #[serde(default)]
    ref_type: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Debug, Deserialize)]
struct WireTag {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Debug, Deserialize)]
struct WireLog {
    #[serde(default, deserialize_with = "null_as_empty")]
    fields: Vec<WireTag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProcess {
    #[serde(default)]
    service_name: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    tags: Vec<WireTag>,
}

/// Go writes an empty list as `null`.
fn null_as_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl TryFrom<WireTrace> for Trace {
    type Error = IdError;

    fn try_from(wire: WireTrace) -> Result<Self, IdError> {
        let id: TraceId = wire.trace_id.parse()?;
        let processes: HashMap<String, (String, Place)> = wire
            .processes
            .into_iter()
            .map(|(key, process)| (key, (process.service_name, place(process.tags))))
            .collect();
        let spans = wire.spans.into_iter().map(|span| span.into_span(id, &processes)).collect::<Result<_, _>>()?;
        Ok(Self { id, spans })
    }
}

impl WireSpan {
    fn into_span(self, trace: TraceId, processes: &HashMap<String, (String, Place)>) -> Result<Span, IdError> {
        let parent = self.parent(trace);
        let links = self.links(trace, parent);
        let attributes = map(self.tags);
        let (service, place) = processes.get(&self.process_id).cloned().unwrap_or_default();
        Ok(Span {
            id: self.span_id.parse()?,
            parent,
            service: if service.is_empty() { "unknown".to_owned() } else { service },
            name: self.operation_name,
            kind: kind(&attributes),
            start: self.start_time,
            duration: self.duration,
            outcome: outcome(&attributes, &self.logs),
            place,
            attributes,
            links,
        })
    }

    /// The span that caused this one, in the same trace: `CHILD_OF` before `FOLLOWS_FROM`. Links
    /// to other traces come as references too, and are no parents.
    fn parent(&self, trace: TraceId) -> Option<SpanId> {
        let own = |reference: &&WireReference| reference.trace_id.parse() == Ok(trace);
        let child_of = self.references.iter().filter(own).find(|r| r.ref_type == "CHILD_OF");
        child_of
            .or_else(|| self.references.iter().find(own))
            .map_or(self.parent_span_id.as_str(), |reference| reference.span_id.as_str())
            .parse()
            .ok()
    }

    /// `OpenTelemetry`'s links. Jaeger has them as references beside the parent's: `FOLLOWS_FROM`, unless the link itself
    /// says otherwise.
    fn links(&self, trace: TraceId, parent: Option<SpanId>) -> Vec<Link> {
        let all = self.references.iter().filter_map(|reference| {
            Some(Link { trace: reference.trace_id.parse().ok()?, span: reference.span_id.parse().ok()? })
        });
        all.filter(|link| link.trace != trace || Some(link.span) != parent).collect()
    }
}

fn map(tags: Vec<WireTag>) -> BTreeMap<String, Value> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

fn place(tags: Vec<WireTag>) -> Place {
    let mut tags = map(tags);
    let mut take = |names: &[&str]| {
        names.iter().find_map(|name| match tags.remove(*name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        })
    };
    Place {
        pod: take(&["k8s.pod.name"]),
        namespace: take(&["k8s.namespace.name"]),
        node: take(&["k8s.node.name", "host.name"]),
        version: take(&["service.version"]),
    }
}

fn kind(attributes: &BTreeMap<String, Value>) -> Kind {
    match attributes.get("span.kind").and_then(Value::as_str) {
        Some("client") => Kind::Client,
        Some("server") => Kind::Server,
        Some("producer") => Kind::Producer,
        Some("consumer") => Kind::Consumer,
        _ => Kind::Internal,
    }
}

/// `OpenTelemetry`'s status, or the older boolean `error` tag; the reason is the status's
/// description, else what an exception event says, else the class of the error.
fn outcome(attributes: &BTreeMap<String, Value>, logs: &[WireLog]) -> Outcome {
    let text = |key: &str| attributes.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let status = text("otel.status_code").is_some_and(|code| code.eq_ignore_ascii_case("error"));
    let tagged = match attributes.get("error") {
        Some(Value::Bool(error)) => *error,
        Some(Value::String(error)) => error == "true",
        _ => false,
    };
    if !status && !tagged {
        return Outcome::Fine;
    }
    let exception = || {
        let mut fields = logs.iter().flat_map(|log| &log.fields);
        fields.find(|field| field.key == "exception.message").and_then(|field| field.value.as_str())
    };
    let reason = text("otel.status_description").or_else(exception).or_else(|| text("error.type"));
    Outcome::Failed(reason.map(str::to_owned))
}

#[cfg(test)]
#[path = "jaeger_tests.rs"]
mod tests;
