//! The root span of a call.

use ::telemetry::span::ActiveSpan;
use ::telemetry::{Context, FutureExt as _, KeyValue, SpanKind, propagation, span};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags};

use super::hops::Expected;
use super::request::Outgoing;
use crate::error::{Error, ExitCode};
use crate::trace::{Delivery, SpanId, TraceId};

/// `msctl call`, from the first step to the last byte of the answer.
#[derive(Debug)]
pub(super) struct Root {
    span: ActiveSpan,
    /// The caller's span, from a `traceparent` header on the command line.
    outside: Option<SpanId>,
}

impl Root {
    /// Begins the span. A `traceparent` on the command line is the caller's: the call joins that trace, and what goes
    /// out has the call's own span in its place.
    pub(super) fn start(outgoing: &Outgoing) -> Self {
        let caller = propagation::extract(&outgoing.headers);
        let outside = ids(&caller).map(|(_, span)| span);
        let attributes = vec![KeyValue::new("msctl.target", outgoing.shown_target())];
        let _caller = caller.attach();
        Self { span: span::start("call", SpanKind::Internal, attributes), outside }
    }

    pub(super) fn is_sampled(&self) -> bool {
        self.span.is_sampled()
    }

    /// `work` as the span's: what it sends belongs to the trace.
    pub(super) fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> {
        work.with_context(self.span.context().clone())
    }

    /// Ends the span; `failure` is why the call has no answer.
    pub(super) fn end(self, failure: Option<&Error>) -> Option<Expected> {
        if let Some(failure) = failure {
            let class = match failure.code() {
                ExitCode::TimedOut => "timeout",
                ExitCode::Interrupted => "interrupted",
                _ => "failed",
            };
            self.span.fail(class, failure.in_a_line());
        }
        let (trace, root) = ids(self.span.context())?;
        Some(Expected { trace, root, outside: self.outside, delivery: Delivery::Unknown })
    }
}

/// The current span's place, in which nothing is recorded, here or by who is called: the caller decides.
pub(super) fn unrecorded() -> Context {
    let current = Context::current();
    let span = current.span().span_context().clone();
    let unsampled =
        SpanContext::new(span.trace_id(), span.span_id(), TraceFlags::NOT_SAMPLED, false, span.trace_state().clone());
    current.with_remote_span_context(unsampled).with_telemetry_suppressed()
}

fn ids(context: &Context) -> Option<(TraceId, SpanId)> {
    let span = context.span();
    let ids = span.span_context();
    let trace = TraceId::new(u128::from_be_bytes(ids.trace_id().to_bytes()))?;
    let span = SpanId::new(u64::from_be_bytes(ids.span_id().to_bytes()))?;
    Some((trace, span))
}
