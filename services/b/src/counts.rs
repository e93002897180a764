//! What this replica did with the events it was sent.

use api::message::Outcome;
use telemetry::Telemetry;
use telemetry::metrics::prometheus_client::metrics::counter::Counter;

/// Counted when the answer is known: an event whose sender has hung up by then is applied, and not counted. Clones are
/// handles to the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    applied: Counter,
    ignored: Counter,
    pub(crate) purged: Counter,
}

impl Counts {
    pub(crate) fn register(telemetry: &Telemetry) -> Self {
        let counts = Self::default();
        let metrics = telemetry.metrics();
        metrics.register("inbox_applied", "Events that were new, and were applied", counts.applied.clone());
        metrics.register("inbox_ignored", "Events that had been applied before", counts.ignored.clone());
        metrics.register("inbox_purged", "Events forgotten after RETENTION", counts.purged.clone());
        counts
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        match outcome {
            Outcome::Applied => self.applied.inc(),
            Outcome::Ignored => self.ignored.inc(),
        };
    }

    pub(crate) fn applied(&self) -> u64 {
        self.applied.get()
    }

    pub(crate) fn ignored(&self) -> u64 {
        self.ignored.get()
    }
}
