//! Finished spans on their way out: bounded, and never waited for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::Batch;
use crate::metrics::{Reason, SpanCounters};

/// Between the threads that end spans and the task that sends them.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Batch,
    state: Mutex<State>,
    /// Something for the task to look at: a first span, a full batch, a flush, the end.
    work: Notify,
    /// A batch is settled: sent or given up.
    progress: Notify,
    counters: SpanCounters,
}

#[derive(Debug, Default)]
struct State {
    /// Full batches, the oldest first.
    full: VecDeque<Vec<SpanData>>,
    /// The batch that is being filled.
    filling: Vec<SpanData>,
    /// Spans in both.
    waiting: usize,
    /// Spans that ever went in, and those of them that are sent or given up.
    accepted: u64,
    settled: u64,
    /// A flush waits until this many are settled.
    hurry_until: u64,
    closed: bool,
}

impl Queue {
    pub(super) fn new(limits: Batch, counters: SpanCounters) -> Self {
        Self { limits, state: Mutex::default(), work: Notify::new(), progress: Notify::new(), counters }
    }

    /// Takes a finished span, or counts it as dropped. Costs a lock and a move; wakes the task twice a batch at most.
    pub(super) fn push(&self, span: SpanData) {
        let mut state = self.state();
        let refused = if state.closed {
            Some(Reason::Shutdown)
        } else if state.waiting == self.limits.max_queue_size {
            Some(Reason::QueueFull)
        } else {
            None
        };
        if let Some(reason) = refused {
            drop(state);
            self.counters.count_dropped(reason, 1);
            return;
        }
        state.filling.push(span);
        state.waiting += 1;
        state.accepted += 1;
        let first = state.waiting == 1;
        let complete = state.filling.len() == self.limits.max_export_batch_size;
        if complete {
            let batch = std::mem::take(&mut state.filling);
            state.full.push_back(batch);
        }
        drop(state);
        if first || complete {
            self.work.notify_one();
        }
    }

    /// The next batch: a full one at once, a started one after the delay or for a flush. `None` after the end.
    pub(super) async fn next(&self) -> Option<Vec<SpanData>> {
        let mut due = None;
        loop {
            let elapsed = due.is_some_and(|due| Instant::now() >= due);
            let taken = self.state().take(elapsed);
            match taken {
                Taken::Batch(batch) => return Some(batch),
                Taken::Ended => return None,
                Taken::Nothing => self.work.notified().await,
                Taken::NotYet => {
                    let due = *due.get_or_insert_with(|| Instant::now() + self.limits.schedule_delay);
                    // Either way the state says what to do.
                    let _due_or_work = timeout_at(due, self.work.notified()).await;
                }
            }
        }
    }

    /// Reports a batch of `spans` as sent or given up.
    pub(super) fn settle(&self, spans: usize) {
        self.state().settled += spans as u64;
        self.progress.notify_waiters();
    }

    /// Has the task send what is in the queue without delay.
    pub(super) fn hurry(&self) -> u64 {
        let target = {
            let mut state = self.state();
            state.hurry_until = state.accepted;
            state.accepted
        };
        self.work.notify_one();
        target
    }

    /// Waits until what is in the queue now is settled.
    pub(super) async fn flush(&self) {
        let target = self.hurry();
        loop {
            let mut progress = std::pin::pin!(self.progress.notified());
            // Before the look at the state, or progress in between would go unnoticed.
            progress.as_mut().enable();
            if self.state().settled >= target {
                return;
            }
            progress.await;
        }
    }

    /// Spans that went in and are neither sent nor given up.
    pub(super) fn unsettled(&self) -> u64 {
        let state = self.state();
        state.accepted - state.settled
    }

    /// No span goes in any more; the task sends what is left and ends.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.work.notify_one();
    }

    /// How long one batch may take.
    pub(super) fn export_timeout(&self) -> Duration {
        self.limits.export_timeout
    }

    /// A push can't stop halfway, so a panic elsewhere does not spoil the state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Batch(Vec<SpanData>),
    /// A batch was started, and may still fill.
    NotYet,
    Nothing,
    Ended,
}

impl State {
    fn take(&mut self, due: bool) -> Taken {
        let batch = match self.full.pop_front() {
            Some(batch) => batch,
            None if self.filling.is_empty() && self.closed => return Taken::Ended,
            None if self.filling.is_empty() => return Taken::Nothing,
            None if due || self.closed || self.settled < self.hurry_until => std::mem::take(&mut self.filling),
            None => return Taken::NotYet,
        };
        self.waiting -= batch.len();
        Taken::Batch(batch)
    }
}
