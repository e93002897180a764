//! Writes that are committed together, and what becomes of each.

use std::time::Instant;

use telemetry::span::{ActiveSpan, LinkTarget, start_linked};
use telemetry::{KeyValue, SpanKind, Telemetry};
use tokio::sync::oneshot;

use crate::Error;
use crate::queue::Held;
use crate::statement::System;

/// What became of a write.
#[derive(Debug)]
pub(crate) struct Answer<D> {
    pub(crate) outcome: Result<D, Error>,
    /// The batch's span, for the caller's to link to.
    pub(crate) batch: Option<LinkTarget>,
}

/// Who waits for a write.
#[derive(Debug)]
pub(crate) struct Waiting<D> {
    pub(crate) reply: oneshot::Sender<Answer<D>>,
    /// The caller's span, when it is recorded.
    pub(crate) target: Option<LinkTarget>,
    pub(crate) since: Instant,
    pub(crate) held: Held,
}

impl<D> Waiting<D> {
    pub(crate) fn answer(self, outcome: Result<D, Error>, batch: Option<LinkTarget>) {
        // A caller that went away loses nothing: its write stands or does not.
        let _ = self.reply.send(Answer { outcome, batch });
    }
}

/// Writes of one transaction. The two lists have the same order.
#[derive(Debug)]
pub(crate) struct Batch<W, D> {
    pub(crate) writes: Vec<W>,
    pub(crate) waiting: Vec<Waiting<D>>,
}

impl<W, D> FromIterator<(W, Waiting<D>)> for Batch<W, D> {
    fn from_iter<I: IntoIterator<Item = (W, Waiting<D>)>>(entries: I) -> Self {
        let (writes, waiting) = entries.into_iter().unzip();
        Self { writes, waiting }
    }
}

impl<W, D> Batch<W, D> {
    /// A root span for the batch, when any of its writes has a span. It links to them, and they to it.
    pub(crate) fn span(&mut self, telemetry: &Telemetry, system: &System) -> ActiveSpan {
        let size = i64::try_from(self.writes.len()).unwrap_or(i64::MAX);
        let targets = self.waiting.iter_mut().filter_map(|waiting| waiting.target.take());
        start_linked(telemetry, "COMMIT batch", SpanKind::Client, targets, || {
            let mut attributes = system.attributes();
            attributes.push(KeyValue::new("db.operation.name", "COMMIT"));
            attributes.push(KeyValue::new("db.operation.batch.size", size));
            attributes
        })
    }
}

/// Every write of a batch with what became of it.
#[derive(Debug)]
pub(crate) struct Settled<D> {
    pub(crate) waiting: Vec<Waiting<D>>,
    /// One for each of `waiting`.
    pub(crate) outcomes: Vec<Result<D, Error>>,
    pub(crate) span: Option<LinkTarget>,
}

impl<D> Settled<D> {
    /// Tells the callers.
    pub(crate) fn deliver(self) {
        // Who is left without an outcome is told that it is not known.
        debug_assert_eq!(self.waiting.len(), self.outcomes.len());
        for (waiting, outcome) in self.waiting.into_iter().zip(self.outcomes) {
            waiting.answer(outcome, self.span.clone());
        }
    }
}

/// One outcome for all `count` writes.
pub(crate) fn same<D>(count: usize, error: &Error) -> Vec<Result<D, Error>> {
    (0..count).map(|_| Err(error.clone())).collect()
}
