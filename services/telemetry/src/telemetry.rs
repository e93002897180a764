//! Setting telemetry up, and flushing it.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::HttpClient;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Dispatch;

use crate::export::{self, Exporter};
use crate::ids::Ids;
use crate::metrics::Metrics;
use crate::span::Spans;
use crate::{Entered, FlushReport, Identity, Settings, current, logs, resource};

/// The instrumentation scope of our spans.
const SCOPE: &str = "msctl";

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The default transport speaks plain HTTP.
    #[error(
        "can't export spans to {endpoint}: only http:// is supported; run a collector nearby and let it forward over TLS"
    )]
    Scheme {
        /// The configured URL.
        endpoint: String,
    },
    /// Spans are sent by a task, and there is nowhere to run it.
    #[error("can't export spans to {endpoint}: telemetry was set up outside a tokio runtime")]
    NoRuntime {
        /// The configured URL.
        endpoint: String,
    },
    /// The OTLP exporter refused its configuration.
    #[error("can't export spans to {endpoint}: {source}")]
    Exporter {
        /// The configured URL.
        endpoint: String,
        /// What it refused.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// `RUST_LOG` can't be read.
    #[error("can't read the log filter {filter:?}: {source}")]
    LogFilter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Telemetry is set up once a process.
    #[error("telemetry or another tracing subscriber is already set up in this process")]
    AlreadyInstalled,
}

/// Sets telemetry up for the whole process. To be called once, inside the tokio runtime that shall send the spans.
///
/// Spans go to [`Settings::endpoint`] over plain HTTP.
#[expect(clippy::needless_pass_by_value, reason = "settings are read once; a caller has no use for them after")]
pub fn init(identity: Identity, settings: Settings) -> Result<Telemetry, InitError> {
    Telemetry::new(identity, &settings, None)?.install()
}

/// As [`init`], but spans are sent with `client`, to which [`Settings::endpoint`] may be any URL it understands.
#[expect(clippy::needless_pass_by_value, reason = "settings are read once; a caller has no use for them after")]
pub fn init_with_http_client(
    identity: Identity,
    settings: Settings,
    client: Arc<dyn HttpClient>,
) -> Result<Telemetry, InitError> {
    Telemetry::new(identity, &settings, Some(client))?.install()
}

/// A handle to the traces, metrics and logs of this process. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spans: Spans,
    exporter: Option<Exporter>,
    metrics: Metrics,
    dispatch: Dispatch,
    /// The last handle dropped ends the export task.
    _provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Telemetry that is in force nowhere yet: [`Telemetry::install`] it, or [`Telemetry::enter`] it in a test.
    ///
    /// With `client` as the transport, or the default one. Without an endpoint there is no export and no task.
    pub fn new(
        identity: Identity,
        settings: &Settings,
        client: Option<Arc<dyn HttpClient>>,
    ) -> Result<Self, InitError> {
        let metrics = Metrics::new(identity);
        let endpoint = settings.endpoint.as_ref().filter(|_| settings.tracing);
        let pipeline =
            endpoint.map(|endpoint| Pipeline::start(identity, settings, endpoint, client, &metrics)).transpose()?;
        let tracer = pipeline.as_ref().map(|pipeline| pipeline.tracer.clone());
        let spans = match &tracer {
            Some(tracer) => Spans::recorded(tracer.clone(), settings.sampler),
            None if settings.tracing => Spans::identified(),
            None => Spans::passed_on(),
        };
        let dispatch = logs::subscriber(&settings.logs, tracer)?;
        let (exporter, provider) = pipeline.map(|pipeline| (pipeline.exporter, pipeline.provider)).unzip();
        Ok(Self(Arc::new(Inner { spans, exporter, metrics, dispatch, _provider: provider })))
    }

    /// Makes this the telemetry of the process, and its subscriber that of `tracing`.
    pub fn install(self) -> Result<Self, InitError> {
        tracing::dispatcher::set_global_default(self.0.dispatch.clone()).map_err(|_| InitError::AlreadyInstalled)?;
        if current::install(self.clone()) { Ok(self) } else { Err(InitError::AlreadyInstalled) }
    }

    /// Makes this the telemetry of the current thread until the result is dropped. For tests.
    pub fn enter(&self) -> Entered {
        Entered::new(self.clone())
    }

    /// Sends the spans that have ended so far, within `deadline`. To be called on every way out of the process.
    ///
    /// Returns by the deadline whatever the collector does; the report says what was lost.
    pub async fn flush(&self, deadline: Duration) -> FlushReport {
        match &self.0.exporter {
            Some(exporter) => exporter.flush(deadline).await,
            None => FlushReport::default(),
        }
    }

    /// The metrics of the process.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn spans(&self) -> &Spans {
        &self.0.spans
    }

    pub(crate) fn dispatch(&self) -> &Dispatch {
        &self.0.dispatch
    }
}

struct Pipeline {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    exporter: Exporter,
}

impl Pipeline {
    fn start(
        identity: Identity,
        settings: &Settings,
        endpoint: &str,
        client: Option<Arc<dyn HttpClient>>,
        metrics: &Metrics,
    ) -> Result<Self, InitError> {
        let client = match client {
            Some(client) => client,
            None if endpoint.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http")) => {
                Arc::new(export::Transport::new())
            }
            None => {
                return Err(InitError::Scheme { endpoint: endpoint.to_owned() });
            }
        };
        let resource = resource::resource(identity, settings);
        let (processor, exporter) = export::start(settings, endpoint, client, &resource, metrics.spans().clone())?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(settings.sampler)
            .with_id_generator(Ids::default())
            .with_span_processor(processor)
            .build();
        Ok(Self { tracer: provider.tracer(SCOPE), provider, exporter })
    }
}
