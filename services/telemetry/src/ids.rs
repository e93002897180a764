//! Trace and span identifiers.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    static RESERVED: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Random identifiers from a small generator per thread.
///
/// A root's sampling decision is made on its trace id, before the SDK is asked for a span; [`Ids::reserve`] hands that id
/// to the SDK, which otherwise would make up another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids(RandomIdGenerator);

impl Ids {
    /// The next trace id made on this thread is `trace_id`.
    pub(crate) fn reserve(trace_id: TraceId) {
        RESERVED.set(Some(trace_id));
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        RESERVED.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_trace_id_is_used_once() {
        let (ids, trace_id) = (Ids::default(), TraceId::from(42));
        Ids::reserve(trace_id);
        assert_eq!(ids.new_trace_id(), trace_id);
        assert_ne!(ids.new_trace_id(), trace_id);
    }
}
