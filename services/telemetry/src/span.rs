//! Spans made with the OpenTelemetry API: hops, and whatever else a program wants to show, such as msctl's root.

use std::borrow::Cow;

use opentelemetry::trace::{
    FutureExt, Link, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, Tracer, WithContext,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, SdkTracer};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

use crate::ids::Ids;
use crate::sampler::Sampler;
use crate::{Telemetry, current};

/// Starts spans, or only their identifiers where the decision is not to record.
#[derive(Debug)]
pub(crate) struct Spans {
    ids: Ids,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// Sampled spans are recorded.
    Recorded { tracer: SdkTracer, sampler: Sampler },
    /// Nothing is recorded, so the caller's context is passed on as it came: the callee's span belongs under the
    /// caller's. A request without one gets identifiers, which its log lines and problems carry.
    Identified,
    /// The SDK is disabled: contexts are passed on, none is made.
    PassedOn,
}

/// A span that was started, or the context that stands for it.
#[derive(Debug)]
pub(crate) struct Started {
    /// The context to work in.
    pub(crate) context: Context,
    /// Whether attributes, status and end go anywhere.
    pub(crate) recorded: bool,
}

impl Spans {
    pub(crate) fn recorded(tracer: SdkTracer, sampler: Sampler) -> Self {
        Self { ids: Ids::default(), mode: Mode::Recorded { tracer, sampler } }
    }

    pub(crate) fn identified() -> Self {
        Self { ids: Ids::default(), mode: Mode::Identified }
    }

    pub(crate) fn passed_on() -> Self {
        Self { ids: Ids::default(), mode: Mode::PassedOn }
    }

    /// Starts a span under `parent`; `builder` is called only for a span that is recorded.
    pub(crate) fn start(&self, parent: &Context, builder: impl FnOnce() -> SpanBuilder) -> Started {
        let span = parent.span();
        let caller = span.span_context();
        match &self.mode {
            Mode::Recorded { tracer, sampler } if !parent.is_telemetry_suppressed() => {
                let trace_id = if caller.is_valid() { caller.trace_id() } else { self.ids.new_trace_id() };
                if sampler.samples(caller, trace_id) {
                    if !caller.is_valid() {
                        Ids::reserve(trace_id);
                    }
                    let span = tracer.build_with_context(builder(), parent);
                    return Started { context: parent.with_span(span), recorded: true };
                }
                // A local parent that is not sampled stands for its children as well: nobody will see either.
                if caller.is_valid() && !caller.is_remote() && !caller.is_sampled() {
                    return Started { context: parent.clone(), recorded: false };
                }
                let unsampled = SpanContext::new(
                    trace_id,
                    self.ids.new_span_id(),
                    TraceFlags::NOT_SAMPLED,
                    false,
                    caller.trace_state().clone(),
                );
                Started { context: parent.with_remote_span_context(unsampled), recorded: false }
            }
            Mode::Identified if !caller.is_valid() => {
                let identified = SpanContext::new(
                    self.ids.new_trace_id(),
                    self.ids.new_span_id(),
                    TraceFlags::NOT_SAMPLED,
                    false,
                    caller.trace_state().clone(),
                );
                Started { context: parent.with_remote_span_context(identified), recorded: false }
            }
            Mode::Recorded { .. } | Mode::Identified | Mode::PassedOn => {
                Started { context: parent.clone(), recorded: false }
            }
        }
    }

    /// Starts a span whose links, which are to spans that were recorded, have it recorded.
    fn start_linked(&self, root: &Context, builder: impl FnOnce() -> SpanBuilder) -> Started {
        match &self.mode {
            Mode::Recorded { tracer, .. } => {
                let span = tracer.build_with_context(builder(), root);
                Started { context: root.with_span(span), recorded: true }
            }
            Mode::Identified | Mode::PassedOn => Started { context: root.clone(), recorded: false },
        }
    }
}

/// What work that is done for several spans at once links to, and is linked from: a span that was recorded.
#[derive(Clone, Debug)]
pub struct LinkTarget(SpanContext);

/// Starts a span under the current one, or a root. It ends when the result is dropped.
///
/// Without telemetry in force, or unsampled, it only carries the context on.
pub fn start(name: impl Into<Cow<'static, str>>, kind: SpanKind, attributes: Vec<KeyValue>) -> ActiveSpan {
    start_with(kind, || (name.into(), attributes))
}

/// As [`start`], for spans that are many: `build` gives name and attributes, and is called only for a span that is
/// recorded.
pub fn start_with(kind: SpanKind, build: impl FnOnce() -> (Cow<'static, str>, Vec<KeyValue>)) -> ActiveSpan {
    let parent = Context::current();
    let started = current::with(|telemetry| {
        telemetry.map(|telemetry| {
            telemetry.spans().start(&parent, || {
                let (name, attributes) = build();
                SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes)
            })
        })
    });
    ActiveSpan(started.unwrap_or(Started { context: parent, recorded: false }))
}

/// Starts a root that links to `targets`, each of which was recorded: so is this span, whatever a sampler would say of
/// a root. Without targets there is no span.
///
/// For work that belongs to several traces, as the commit of a batch does. It takes the telemetry because such work is
/// done on threads of its own, where none is in force.
pub fn start_linked(
    telemetry: &Telemetry,
    name: impl Into<Cow<'static, str>>,
    kind: SpanKind,
    targets: impl IntoIterator<Item = LinkTarget>,
    attributes: impl FnOnce() -> Vec<KeyValue>,
) -> ActiveSpan {
    let links: Vec<_> = targets.into_iter().map(|LinkTarget(target)| Link::with_context(target)).collect();
    let root = Context::new();
    if links.is_empty() {
        return ActiveSpan(Started { context: root, recorded: false });
    }
    ActiveSpan(telemetry.spans().start_linked(&root, || {
        SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes()).with_links(links)
    }))
}

/// A span that ends when this is dropped.
#[derive(Debug)]
#[must_use = "the span ends when this is dropped"]
pub struct ActiveSpan(pub(crate) Started);

impl ActiveSpan {
    /// The context that holds the span: for [`crate::propagation::inject`], or to be the parent of work elsewhere.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// `future` with the span as the current one: spans and log lines inside belong to it.
    pub fn run<F: Future>(&self, future: F) -> WithContext<F> {
        future.with_context(self.0.context.clone())
    }

    /// Whether the span is recorded, and so will be found in the trace.
    pub fn is_sampled(&self) -> bool {
        self.0.recorded
    }

    /// The span's trace: 32 lower-case hex digits. `None` where there is no trace at all.
    pub fn trace_id(&self) -> Option<String> {
        let span = self.0.context.span();
        let span_context = span.span_context();
        span_context.is_valid().then(|| span_context.trace_id().to_string())
    }

    /// The span as others may link to it; `None` for one that is not recorded.
    pub fn link_target(&self) -> Option<LinkTarget> {
        self.0.recorded.then(|| LinkTarget(self.0.context.span().span_context().clone()))
    }

    /// Adds a link.
    pub fn link(&self, target: LinkTarget) {
        if self.0.recorded {
            self.0.context.span().add_link(target.0, Vec::new());
        }
    }

    /// Adds an attribute.
    pub fn set(&self, attribute: KeyValue) {
        if self.0.recorded {
            self.0.context.span().set_attribute(attribute);
        }
    }

    /// Marks the span as failed: `error_type` (a name from a small set) as `error.type`, `message` for a person.
    pub fn fail(&self, error_type: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        if self.0.recorded {
            let span = self.0.context.span();
            span.set_attribute(KeyValue::new(ERROR_TYPE, error_type.into()));
            span.set_status(Status::error(message));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.recorded {
            self.context.span().end();
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceId;

    use super::*;
    use crate::double::{Collector, Received, telemetry};
    use crate::{Settings, current_trace_id};

    #[tokio::test]
    async fn a_child_is_under_its_parent_and_tracing_spans_are_under_both() {
        let collector = Collector::start().await;
        let telemetry = telemetry(&collector.settings());
        let _entered = telemetry.enter();

        let root = start("root", SpanKind::Client, vec![KeyValue::new("key", "value")]);
        root.run(async {
            let child = start("child", SpanKind::Internal, Vec::new());
            child.run(async { tracing::info_span!("leaf", answer = 42).in_scope(|| ()) }).await;
        })
        .await;
        let trace_id = root.trace_id().unwrap();
        drop(root);
        collector.flush(&telemetry).await;

        let (root, child, leaf) = (collector.span("root"), collector.span("child"), collector.span("leaf"));
        assert_eq!(root.trace_id(), trace_id);
        assert_eq!(root.parent_span_id, Vec::<u8>::new());
        assert_eq!(child.parent_span_id, root.span_id);
        assert_eq!(leaf.parent_span_id, child.span_id);
        assert_eq!(root.attribute("key").as_deref(), Some("value"));
        assert_eq!(leaf.attribute("answer").as_deref(), Some("42"));
    }

    #[tokio::test]
    async fn a_root_keeps_the_trace_id_its_sampling_was_decided_on() {
        let collector = Collector::start().await;
        let half = crate::Ratio::new(0.5).unwrap();
        let settings = Settings { sampler: Sampler::ParentBasedTraceIdRatio(half), ..collector.settings() };
        let telemetry = telemetry(&settings);
        let _entered = telemetry.enter();

        let mut sampled = Vec::new();
        for _ in 0..200 {
            let span = start("root", SpanKind::Internal, Vec::new());
            let trace_id = TraceId::from_hex(&span.trace_id().unwrap()).unwrap();
            let expected = settings.sampler.samples(&SpanContext::NONE, trace_id);
            assert_eq!(span.is_sampled(), expected);
            if expected {
                sampled.push(trace_id.to_string());
            }
        }
        collector.flush(&telemetry).await;

        let mut exported: Vec<_> = collector.spans().iter().map(Received::trace_id).collect();
        exported.sort();
        sampled.sort();
        assert_eq!(exported, sampled);
    }

    #[tokio::test]
    async fn a_failed_span_says_what_and_why() {
        let collector = Collector::start().await;
        let telemetry = telemetry(&collector.settings());
        let _entered = telemetry.enter();

        start("broken", SpanKind::Internal, Vec::new()).fail("timeout", "no answer within 5 s");
        collector.flush(&telemetry).await;

        let span = collector.span("broken");
        assert_eq!(span.attribute("error.type").as_deref(), Some("timeout"));
        assert_eq!(span.status(), ("error", "no answer within 5 s".to_owned()));
    }

    #[tokio::test]
    async fn tracing_spans_of_an_unsampled_trace_are_never_built() {
        let collector = Collector::start().await;
        let telemetry = telemetry(&Settings { sampler: Sampler::AlwaysOff, ..collector.settings() });
        let _entered = telemetry.enter();

        let root = start("root", SpanKind::Internal, Vec::new());
        root.run(async {
            assert!(tracing::info_span!("leaf").is_disabled());
            assert_eq!(current_trace_id(), root.trace_id());
        })
        .await;
        assert!(!root.is_sampled());
    }

    #[tokio::test]
    async fn work_for_several_spans_is_a_root_that_is_linked_both_ways() {
        let collector = Collector::start().await;
        // Half a sampler would leave the linked root to chance.
        let none = crate::Ratio::new(0.0).unwrap();
        let settings = Settings { sampler: Sampler::ParentBasedTraceIdRatio(none), ..collector.settings() };
        let telemetry = telemetry(&settings);
        let _entered = telemetry.enter();
        let sampled = crate::propagation::from_text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);

        let write = {
            let _caller = sampled.attach();
            start("write", SpanKind::Client, Vec::new())
        };
        let unsampled = start("unsampled", SpanKind::Client, Vec::new());
        assert!(unsampled.link_target().is_none());
        let batch = start_linked(&telemetry, "batch", SpanKind::Client, write.link_target(), Vec::new);
        write.link(batch.link_target().unwrap());
        drop((batch, write));
        let alone = start_linked(&telemetry, "alone", SpanKind::Client, None, || unreachable!());
        assert!(!alone.is_sampled() && alone.trace_id().is_none());
        collector.flush(&telemetry).await;

        let (write, batch) = (collector.span("write"), collector.span("batch"));
        assert_eq!(batch.parent_span_id, Vec::<u8>::new());
        assert_ne!(batch.trace_id, write.trace_id);
        let linked = |span: &Received| span.links.iter().map(|link| link.span_id.clone()).collect::<Vec<_>>();
        assert_eq!(linked(&batch), std::slice::from_ref(&write.span_id));
        assert_eq!(linked(&write), std::slice::from_ref(&batch.span_id));
    }

    #[test]
    fn without_telemetry_a_span_carries_nothing() {
        let span = start("nowhere", SpanKind::Internal, Vec::new());
        assert_eq!(span.trace_id(), None);
        assert!(!span.is_sampled());
    }
}
