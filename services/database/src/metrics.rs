//! What the database does, as numbers.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use telemetry::Metrics as Registry;
use telemetry::metrics::prometheus_client::metrics::counter::Counter;
use telemetry::metrics::prometheus_client::metrics::family::Family;
use telemetry::metrics::prometheus_client::metrics::gauge::Gauge;
use telemetry::metrics::prometheus_client::metrics::histogram::Histogram;

const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// The metrics of one database. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) up: Gauge,
    /// Connections made, the first included.
    pub(crate) connects: Counter,
    committed: Counter,
    failed: Counter,
    refused: Counter<u64, AtomicU64>,
    writes: Histogram,
    seconds: Histogram,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let commits = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let metrics = Self {
            up: Gauge::default(),
            connects: Counter::default(),
            committed: commits.get_or_create_owned(&[("outcome", "committed")]),
            failed: commits.get_or_create_owned(&[("outcome", "failed")]),
            refused: Counter::default(),
            writes: Histogram::new(WRITES),
            seconds: Histogram::new(SECONDS),
        };
        registry.register("database_up", "1 while the database can be used", metrics.up.clone());
        registry.register("database_connects", "Times the database was opened", metrics.connects.clone());
        registry.register("database_commits", "Batches, by what became of them", commits);
        registry.register("database_refused_writes", "Writes refused for what is in them", metrics.refused.clone());
        registry.register("database_batch_writes", "Writes in a committed batch", metrics.writes.clone());
        registry.register("database_commit_seconds", "From a batch's begin to its commit", metrics.seconds.clone());
        metrics
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch has at most 256 writes")]
    pub(crate) fn committed(&self, writes: usize, lasted: Duration) {
        self.committed.inc();
        self.writes.observe(writes as f64);
        self.seconds.observe(lasted.as_secs_f64());
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }
}
