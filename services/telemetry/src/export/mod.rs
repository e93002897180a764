//! From a span's end to the collector, without ever making a request wait.
//!
//! A finished span goes into a queue with a bound ([`queue`]); one task takes batches out of it ([`worker`]) and hands
//! them to opentelemetry-otlp's exporter, which encodes them and sends them through [`delivery`]: a deadline, and retries
//! where the protocol allows them. The exporter's own retries are off: outside its optional tokio feature they put the
//! thread to sleep, which here is the one that serves requests.

mod delivery;
mod processor;
mod queue;
mod transport;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter;

pub(crate) use transport::Transport;

use crate::Settings;
use crate::metrics::SpanCounters;
use crate::telemetry::InitError;
use delivery::{Delivery, Outcomes};
use processor::Processor;
use queue::Queue;

/// What became of the spans of this process so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Spans that the collector accepted.
    pub exported: u64,
    /// Spans that were lost, those that could not be sent by the deadline included.
    pub dropped: u64,
    /// Why, for a person; `None` when nothing was lost.
    pub error: Option<String>,
}

/// A handle to the export of one process.
#[derive(Debug)]
pub(crate) struct Exporter {
    endpoint: String,
    queue: Arc<Queue>,
    outcomes: Arc<Outcomes>,
    counters: SpanCounters,
}

impl Exporter {
    pub(crate) async fn flush(&self, deadline: Duration) -> FlushReport {
        // Whether it was in time shows in what is left.
        let _in_time = tokio::time::timeout(deadline, self.queue.flush()).await;
        let unsent = self.queue.unsettled();
        let dropped = self.counters.dropped_total() + unsent;
        let error = (dropped > 0).then(|| {
            let cause = self.outcomes.last_failure().unwrap_or_else(|| match unsent {
                0 => "they ended faster than they could be sent".to_owned(),
                _ => format!("{} did not take them within {deadline:?}", self.endpoint),
            });
            let spans = if dropped == 1 { "1 span was".to_owned() } else { format!("{dropped} spans were") };
            format!("{spans} not exported: {cause}")
        });
        FlushReport { exported: self.counters.exported(), dropped, error }
    }
}

/// Builds the export to `endpoint` and starts its task on the current runtime. The task ends with the processor.
pub(crate) fn start(
    settings: &Settings,
    endpoint: &str,
    client: Arc<dyn HttpClient>,
    resource: &Resource,
    counters: SpanCounters,
) -> Result<(Processor, Exporter), InitError> {
    let endpoint = endpoint.to_owned();
    let runtime =
        tokio::runtime::Handle::try_current().map_err(|_| InitError::NoRuntime { endpoint: endpoint.clone() })?;
    let batch = settings.batch;
    let outcomes = Arc::new(Outcomes::default());
    let delivery = Delivery::new(client, batch.export_timeout, Arc::clone(&outcomes));
    let mut exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(delivery)
        .with_retry_policy(RetryPolicy::disabled())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint.clone())
        .with_timeout(batch.export_timeout)
        .with_headers(settings.headers.iter().cloned().collect())
        .build()
        .map_err(|source| InitError::Exporter { endpoint: endpoint.clone(), source })?;
    exporter.set_resource(resource);
    let queue = Arc::new(Queue::new(batch, counters.clone()));
    runtime.spawn(worker::run(exporter, Arc::clone(&queue), Arc::clone(&outcomes), counters.clone(), endpoint.clone()));
    let processor = Processor::new(Arc::clone(&queue));
    Ok((processor, Exporter { endpoint, queue, outcomes, counters }))
}

#[cfg(test)]
mod tests;
