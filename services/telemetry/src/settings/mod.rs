//! What telemetry does, as the standard environment variables say it.

mod env;
mod values;

use std::fmt;
use std::time::Duration;

use crate::sampler::Sampler;

/// What to do with traces and logs.
///
/// The default exports nothing and logs nothing: a start for programs that set the fields themselves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `false` (`OTEL_SDK_DISABLED=true`): no spans and no identifiers of our own; an incoming context is passed on.
    pub tracing: bool,
    /// The full URL that spans are posted to, as in `http://jaeger:4318/v1/traces`; `None`: no export.
    pub endpoint: Option<String>,
    /// Headers of every export, from `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: Vec<(String, String)>,
    /// `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`, in order.
    pub resource: Vec<(String, String)>,
    /// `OTEL_TRACES_SAMPLER`.
    pub sampler: Sampler,
    /// `OTEL_BSP_*`.
    pub batch: Batch,
    /// `LOG_FORMAT` and `RUST_LOG`.
    pub logs: Logs,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tracing: true,
            endpoint: None,
            headers: Vec::new(),
            service_name: None,
            resource: Vec::new(),
            sampler: Sampler::default(),
            batch: Batch::default(),
            logs: Logs::off(),
        }
    }
}

/// How finished spans are queued and sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Spans that may wait; one more is dropped. `OTEL_BSP_MAX_QUEUE_SIZE`.
    pub max_queue_size: usize,
    /// Spans in one export. `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    pub max_export_batch_size: usize,
    /// How long a span may wait for its batch to fill. `OTEL_BSP_SCHEDULE_DELAY`.
    pub schedule_delay: Duration,
    /// The time one batch has, retries included: the smaller of `OTEL_BSP_EXPORT_TIMEOUT` and
    /// `OTEL_EXPORTER_OTLP_TIMEOUT`.
    pub export_timeout: Duration,
}

impl Default for Batch {
    /// The specification's defaults, but for the delay: 200 ms instead of 5 s, because the tree of a call is looked at
    /// right after the call. A busy service fills its batches well before either; an idle one sends nothing.
    fn default() -> Self {
        Self {
            max_queue_size: 2048,
            max_export_batch_size: 512,
            schedule_delay: Duration::from_millis(200),
            export_timeout: Duration::from_secs(10),
        }
    }
}

/// What is logged, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// The form of a line.
    pub format: LogFormat,
    /// `RUST_LOG`: levels by target, as in `info,hyper=warn`.
    pub filter: String,
}

impl Logs {
    /// No log lines at all: for a program with a printer of its own.
    pub fn off() -> Self {
        Self { format: LogFormat::Off, filter: "off".to_owned() }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// No lines.
    Off,
    /// For a person at a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// A setting that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}; allowed: {allowed}")]
pub struct SettingError {
    /// The variable.
    pub name: &'static str,
    /// What it holds.
    pub value: String,
    /// What it may hold.
    pub allowed: String,
}

/// Every setting that can't be used, each on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingErrors(pub Vec<SettingError>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// The URL that spans are posted to, given the collector's base URL
/// ([specification](https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp)).
pub fn traces_endpoint(base: &str) -> String {
    format!("{}/v1/traces", base.trim_end_matches('/'))
}
