//! Metrics of the process, scraped as text in the format of `OpenMetrics`.
//!
//! prometheus-client rather than OpenTelemetry's, because exemplars exist there only. Names are those of the semantic
//! conventions in their Prometheus form.

mod http;
mod process;
mod spans;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabel, EncodeLabelValue, LabelSetEncoder};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

pub use prometheus_client;

pub(crate) use http::{HttpServer, Outcome};
pub(crate) use spans::{Reason, SpanCounters};

use crate::Identity;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one process. Clones are handles to the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    http: HttpServer,
    spans: SpanCounters,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new(identity: Identity) -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("service_name", identity.service_name), ("service_version", identity.service_version)]);
        registry.register("build", "The program that runs", build);
        let http = HttpServer::register(&mut registry);
        let spans = SpanCounters::register(&mut registry);
        process::register(&mut registry);
        Self(Arc::new(Inner { registry: Mutex::new(registry), http, spans }))
    }

    /// Adds a metric of the program's own. Keep a clone of `metric` to change it with.
    ///
    /// `name` is without the suffixes that the format adds (`_total`, `_info`).
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().register(name, help, metric);
    }

    /// All metrics, to be sent as [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail; a metric that can't be written would be cut short, and seen as such: without
        // the closing `# EOF` the scrape counts as broken.
        let written = encode(&mut text, &self.registry());
        debug_assert!(written.is_ok(), "{written:?}");
        text
    }

    pub(crate) fn http(&self) -> &HttpServer {
        &self.0.http
    }

    pub(crate) fn spans(&self) -> &SpanCounters {
        &self.0.spans
    }

    /// A registry is never left half-changed, so a panic elsewhere does not spoil it.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn label(encoder: &mut LabelSetEncoder<'_>, key: &str, value: impl EncodeLabelValue) -> Result<(), fmt::Error> {
    (key, value).encode(encoder.encode_label())
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(Identity { service_name: "service-a", service_version: "1.2.3" })
    }

    #[test]
    fn what_is_rendered_is_open_metrics_with_its_end_marker() {
        let metrics = metrics();
        let get = crate::semconv::method_index(&::http::Method::GET);
        metrics.http().began(get);
        metrics.http().ended(get, None, Outcome::Status(404), std::time::Duration::from_micros(1500), None);
        let text = metrics.render();
        assert!(text.contains("# TYPE http_server_request_duration_seconds histogram"), "{text}");
        assert!(text.contains("# UNIT http_server_request_duration_seconds seconds"), "{text}");
        let labels = r#"http_request_method="GET",url_scheme="http",http_response_status_code="404""#;
        for (bound, count) in [("0.001", 0), ("0.0025", 1), ("+Inf", 1)] {
            let bucket = format!("http_server_request_duration_seconds_bucket{{le=\"{bound}\",{labels}}} {count}\n");
            assert!(text.contains(&bucket), "{bucket} in {text}");
        }
        assert!(text.contains(r#"build_info{service_name="service-a",service_version="1.2.3"} 1"#), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_metric_of_the_programs_own_is_rendered_with_the_rest() {
        let metrics = metrics();
        let retries: Counter = Counter::default();
        metrics.register("upstream_retries", "Attempts after the first", retries.clone());
        retries.inc_by(3);
        assert!(metrics.render().contains("upstream_retries_total 3\n"));
    }
}
