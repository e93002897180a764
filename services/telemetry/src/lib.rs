//! Traces, metrics and logs of the services and of msctl.
//!
//! [`init`] sets all three up from [`Settings`]; [`Telemetry::flush`] sends what is left before the process ends.
//!
//! # Traces
//! The hops of a request, [`server`] and [`client`], are made with the OpenTelemetry API itself: the sampling decision
//! comes first, and a request that is not sampled costs an identifier and a header, never a span. `tracing` spans inside
//! a handler are children of the hop through tracing-opentelemetry, behind a filter that asks the same question before
//! the span is built. (Two spans a request through `tracing` cost 8 µs of CPU whether sampled or not, because the layer
//! builds a span first and has it sampled later; see `examples/cost.rs` for the figures of this design.)
//!
//! Spans go over OTLP/HTTP (protobuf) through a queue with a bound: a request never waits for a collector, and what is
//! dropped is counted ([`metrics`]) and reported ([`FlushReport`]).
//!
//! # Logs
//! One line an event on stderr, with the trace and span it happened in.

mod causes;
pub mod client;
mod current;
mod export;
mod ids;
mod logs;
pub mod metrics;
pub mod propagation;
mod resource;
mod sampler;
mod semconv;
pub mod server;
mod settings;
pub mod span;
mod telemetry;

#[cfg(test)]
mod double;

pub use current::{Entered, current_trace_id};
pub use export::FlushReport;
pub use metrics::Metrics;
pub use sampler::{Ratio, Sampler};
pub use settings::{Batch, LogFormat, Logs, SettingError, SettingErrors, Settings, traces_endpoint};
pub use telemetry::{InitError, Telemetry, init, init_with_http_client};

pub use opentelemetry::trace::{FutureExt, SpanKind};
pub use opentelemetry::{Context, KeyValue};
pub use opentelemetry_http::{HttpClient, HttpError};

/// Who emits the telemetry.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// `service.name`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says otherwise.
    pub service_name: &'static str,
    /// `service.version`, unless `OTEL_RESOURCE_ATTRIBUTES` says otherwise.
    pub service_version: &'static str,
}
