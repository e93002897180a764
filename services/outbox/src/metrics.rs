//! The outbox's metrics.

use std::sync::atomic::AtomicU64;

use telemetry::metrics::prometheus_client::metrics::counter::Counter;
use telemetry::metrics::prometheus_client::metrics::family::Family;
use telemetry::metrics::prometheus_client::metrics::gauge::Gauge;

/// Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) depth: Gauge,
    pub(crate) oldest_age: Gauge<f64, AtomicU64>,
    pub(crate) attempts: Counter,
    pub(crate) dead: Counter,
    deliveries: Family<Labels, Counter>,
    pub(crate) claimed: Counter,
    pub(crate) closed: Counter,
}

/// How a delivery ended; the values of the label `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    /// It will be tried again.
    Failed,
    /// The receiver will never take it.
    Refused,
    /// It was given up for its age.
    Expired,
}

type Labels = [(&'static str, &'static str); 1];

impl Metrics {
    pub(crate) fn register(telemetry: &telemetry::Metrics) -> Self {
        let metrics = Self {
            depth: Gauge::default(),
            oldest_age: Gauge::default(),
            attempts: Counter::default(),
            dead: Counter::default(),
            deliveries: Family::default(),
            claimed: Counter::default(),
            closed: Counter::default(),
        };
        telemetry.register("outbox_depth", "Messages waiting, of all replicas; sampled", metrics.depth.clone());
        telemetry.register(
            "outbox_oldest_age_seconds",
            "Age of the oldest message that waits, of all replicas; sampled",
            metrics.oldest_age.clone(),
        );
        telemetry.register("outbox_attempts", "Deliveries that this replica tried", metrics.attempts.clone());
        telemetry.register("outbox_deliveries", "How they ended, by outcome", metrics.deliveries.clone());
        telemetry.register("outbox_dead", "Messages that this replica gave up", metrics.dead.clone());
        telemetry.register(
            "outbox_claimed",
            "Rows that this replica took from the database instead of from a request",
            metrics.claimed.clone(),
        );
        telemetry.register(
            "outbox_receiver_away",
            "Times that failures in a row paused all deliveries of this replica",
            metrics.closed.clone(),
        );
        for outcome in [Outcome::Delivered, Outcome::Failed, Outcome::Refused, Outcome::Expired] {
            // A series that is there from the start shows zero instead of nothing.
            metrics.count(outcome, 0);
        }
        metrics
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        self.count(outcome, 1);
    }

    fn count(&self, outcome: Outcome, by: u64) {
        let label = match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
            Outcome::Expired => "expired",
        };
        self.deliveries.get_or_create(&[("outcome", label)]).inc_by(by);
    }
}
