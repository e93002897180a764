//! The one task that sends batches.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::FutureExt;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::time::{Instant, timeout};

use super::delivery::{Failure, Outcomes};
use super::queue::Queue;
use crate::metrics::{Reason, SpanCounters};

/// One warning in this time, whatever goes wrong.
const WARNING_INTERVAL: Duration = Duration::from_secs(30);

/// Past the delivery's own deadline, which stops well before and knows why.
const GRACE: Duration = Duration::from_millis(500);

/// Sends batches until the queue is closed and empty.
pub(super) async fn run(
    exporter: SpanExporter,
    queue: Arc<Queue>,
    outcomes: Arc<Outcomes>,
    counters: SpanCounters,
    endpoint: String,
) {
    let worker = Worker { exporter, outcomes, counters };
    let mut warnings = Warnings { endpoint, reported: worker.counters.dropped(), last: None };
    let limit = queue.export_timeout() + GRACE;
    // Whatever sends the spans makes none itself.
    let suppressed = Context::new().with_telemetry_suppressed();
    async {
        while let Some(batch) = queue.next().await {
            let spans = batch.len();
            worker.export(batch, limit).await;
            queue.settle(spans);
            warnings.report(&worker);
        }
    }
    .with_context(suppressed)
    .await;
}

struct Worker {
    exporter: SpanExporter,
    outcomes: Arc<Outcomes>,
    counters: SpanCounters,
}

impl Worker {
    async fn export(&self, batch: Vec<SpanData>, limit: Duration) {
        let spans = batch.len() as u64;
        match timeout(limit, self.exporter.export(batch)).await {
            Ok(Ok(())) => {
                let rejected = self.outcomes.take_rejected().min(spans);
                self.counters.count_exported(spans - rejected);
                self.counters.count_dropped(Reason::Rejected, rejected);
            }
            Ok(Err(error)) => {
                // A failure that the delivery did not see came before it: the batch could not be encoded.
                if !self.outcomes.has_failed() {
                    self.outcomes.failed(Failure { reason: Reason::Rejected, message: error.to_string() });
                }
                let reason = self.outcomes.take_reason().unwrap_or(Reason::Rejected);
                self.counters.count_dropped(reason, spans);
            }
            Err(_elapsed) => {
                let message = format!("no answer within {limit:?}");
                self.outcomes.failed(Failure { reason: Reason::Timeout, message });
                self.outcomes.take_reason();
                self.counters.count_dropped(Reason::Timeout, spans);
            }
        }
    }
}

struct Warnings {
    endpoint: String,
    reported: [(Reason, u64); Reason::ALL.len()],
    last: Option<Instant>,
}

impl Warnings {
    /// Logs what was dropped since the last warning. Here and not where a span ends: a request logs nothing of this.
    fn report(&mut self, worker: &Worker) {
        if self.last.is_some_and(|last| last.elapsed() < WARNING_INTERVAL) {
            return;
        }
        let now = worker.counters.dropped();
        if now == self.reported {
            return;
        }
        let reasons: Vec<String> = now
            .iter()
            .zip(&self.reported)
            .filter(|((_, now), (_, before))| now > before)
            .map(|((reason, now), (_, before))| format!("{} {}", now - before, reason.name()))
            .collect();
        let cause = worker.outcomes.last_failure().unwrap_or_else(|| "spans end faster than they are sent".to_owned());
        tracing::warn!(endpoint = self.endpoint, cause, "spans were dropped: {}", reasons.join(", "));
        self.reported = now;
        self.last = Some(Instant::now());
    }
}
