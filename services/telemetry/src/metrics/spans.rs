//! What became of the spans.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::label;

/// Why a span was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// More spans ended than could be sent.
    QueueFull,
    /// The collector did not answer in time.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The collector was too busy for too long (429, 502, 503, 504).
    Overloaded,
    /// The collector refused the batch, or some spans of it.
    Rejected,
    /// The exporter is gone.
    Shutdown,
}

impl Reason {
    pub(crate) const ALL: [Self; 6] =
        [Self::QueueFull, Self::Timeout, Self::Unreachable, Self::Overloaded, Self::Rejected, Self::Shutdown];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Overloaded => "overloaded",
            Self::Rejected => "rejected",
            Self::Shutdown => "shutdown",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl EncodeLabelSet for Reason {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        label(encoder, "reason", self.name())
    }
}

/// Counters of finished spans. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct SpanCounters {
    exported: Counter,
    dropped: [Counter; Reason::ALL.len()],
}

impl SpanCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let exported = Counter::default();
        let dropped = Family::<Reason, Counter>::default();
        registry.register("otel_spans_exported", "Spans that a collector accepted", exported.clone());
        registry.register("otel_spans_dropped", "Spans that were lost, by reason", dropped.clone());
        Self { exported, dropped: Reason::ALL.map(|reason| dropped.get_or_create_owned(&reason)) }
    }

    pub(crate) fn count_exported(&self, spans: u64) {
        self.exported.inc_by(spans);
    }

    pub(crate) fn count_dropped(&self, reason: Reason, spans: u64) {
        self.dropped[reason.index()].inc_by(spans);
    }

    pub(crate) fn exported(&self) -> u64 {
        self.exported.get()
    }

    pub(crate) fn dropped(&self) -> [(Reason, u64); Reason::ALL.len()] {
        Reason::ALL.map(|reason| (reason, self.dropped[reason.index()].get()))
    }

    pub(crate) fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(Counter::get).sum()
    }
}
