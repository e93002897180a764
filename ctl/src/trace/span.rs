//! One span as msctl sees it, whatever store it came from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{SpanId, TraceId};

/// The spans that a store holds of one trace, in any order, possibly doubled.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) id: TraceId,
    pub(crate) spans: Vec<Span>,
}

/// A finished piece of work of one service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) id: SpanId,
    /// The span that caused this one; it may not be among the trace's spans.
    pub(crate) parent: Option<SpanId>,
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Microseconds since the Unix epoch, by the clock of the service's machine.
    pub(crate) start: u64,
    /// Microseconds.
    pub(crate) duration: u64,
    pub(crate) outcome: Outcome,
    pub(crate) place: Place,
    /// Span attributes (semantic conventions' names).
    pub(crate) attributes: BTreeMap<String, Value>,
    /// Spans, of this trace or others, that this one has to do with and is no child of.
    pub(crate) links: Vec<Link>,
}

/// A reference to another span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    #[serde(rename = "traceId")]
    pub(crate) trace: TraceId,
    #[serde(rename = "spanId")]
    pub(crate) span: SpanId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Internal,
    Client,
    Server,
    Producer,
    Consumer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Fine,
    /// Why the span failed, when it says so.
    Failed(Option<String>),
}

/// Where the work was done: resource attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pod: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) version: Option<String>,
}

impl Span {
    /// The attribute's text, if it has one that is no empty string.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str().filter(|text| !text.is_empty())
    }

    /// The answer's HTTP status, under the stable name or the one before it.
    pub(crate) fn http_status(&self) -> Option<u16> {
        ["http.response.status_code", "http.status_code"].iter().find_map(|name| {
            let value = self.attributes.get(*name)?;
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
            u16::try_from(number).ok()
        })
    }

    /// Whether it is a statement that was sent to a database.
    pub(crate) fn is_database(&self) -> bool {
        self.attributes.keys().any(|key| key.starts_with("db."))
    }

    /// The database's kind (`postgresql`), under the stable name or the one before it.
    pub(crate) fn database(&self) -> Option<&str> {
        ["db.system.name", "db.system"].iter().find_map(|name| self.text(name))
    }

    pub(crate) fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }

    /// `service name`: how a sentence refers to this span.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.service, self.name)
    }
}
