//! Log lines, and `tracing` spans on their way into traces.

mod line;

use std::env;
use std::io::{self, IsTerminal};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Dispatch, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{self, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt};

use crate::telemetry::InitError;
use crate::{LogFormat, Logs};
use line::Line;

/// The subscriber of the process: lines to stderr, spans to `tracer`.
pub(crate) fn subscriber(logs: &Logs, tracer: Option<SdkTracer>) -> Result<Dispatch, InitError> {
    let colour = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    build(logs, tracer, io::stderr, colour)
}

pub(crate) fn build<W>(logs: &Logs, tracer: Option<SdkTracer>, writer: W, colour: bool) -> Result<Dispatch, InitError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry();
    // Layers that are absent are left out, not `None`: one layer without a filter of its own enables every span.
    Ok(match (tracer, logs.format) {
        (None, LogFormat::Off) => Dispatch::new(NoSubscriber::default()),
        (Some(tracer), LogFormat::Off) => Dispatch::new(registry.with(spans(tracer)).with(Sampled)),
        (None, _) => Dispatch::new(registry.with(lines(logs, writer, colour)?)),
        (Some(tracer), _) => {
            Dispatch::new(registry.with(spans(tracer)).with(lines(logs, writer, colour)?).with(Sampled))
        }
    })
}

/// Spans and the events in them, from INFO up.
fn spans<S>(tracer: SdkTracer) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(LevelFilter::INFO)
}

fn lines<S, W>(logs: &Logs, writer: W, colour: bool) -> Result<impl Layer<S> + Send + Sync + use<S, W>, InitError>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let targets: Targets =
        logs.filter.parse().map_err(|source| InitError::LogFilter { filter: logs.filter.clone(), source })?;
    // Spans cost the lines nothing: a line's place is told by its trace and span ids.
    Ok(fmt::layer()
        .with_ansi(colour)
        .event_format(Line::new(logs.format))
        .with_writer(writer)
        .with_filter(targets.and(filter_fn(is_event))))
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// Lets spans through whose trace is sampled, and roots, whose sampling is decided when they start.
///
/// tracing-opentelemetry builds a span before it has it sampled; here is where the spans of an unsampled request end,
/// for the price of a look at the current context. A layer and not a filter of the layer above: the registry makes a span
/// even when every layer's own filter refuses it.
#[derive(Clone, Copy, Debug)]
struct Sampled;

impl<S: Subscriber> Layer<S> for Sampled {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_span() { Interest::sometimes() } else { Interest::always() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: layer::Context<'_, S>) -> bool {
        !metadata.is_span()
            || Context::map_current(|context| {
                let span = context.span();
                let span_context = span.span_context();
                !context.is_telemetry_suppressed() && (span_context.is_sampled() || !span_context.is_valid())
            })
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::Lines;
