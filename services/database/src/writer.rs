//! The way of a write from a handler to its commit and back.

use std::sync::Arc;

use telemetry::span::ActiveSpan;

use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::state::State;
use crate::statement::{Statement, System};
use crate::{Context, Error};

/// Hands writes to whoever commits them. Cheap to clone. `W` is a write, `D` what became of it.
#[derive(Debug)]
pub struct Writer<W, D>(Arc<Open<W, D>>);

/// Held by everyone who may still write; with the last of them, the queue is closed.
#[derive(Debug)]
struct Open<W, D>(Arc<Shared<W, D>>);

/// What handlers and the one who commits have in common.
#[derive(Debug)]
pub(crate) struct Shared<W, D> {
    pub(crate) queue: Queue<W, D>,
    pub(crate) system: System,
    pub(crate) metrics: Metrics,
    pub(crate) context: Context,
    pub(crate) state: State,
}

impl<W, D> Shared<W, D> {
    pub(crate) fn new(system: System, context: Context) -> Arc<Self> {
        let metrics = Metrics::register(context.telemetry.metrics());
        let state = State::new(&context.health, metrics.clone());
        Arc::new(Self { queue: Queue::new(), system, metrics, context, state })
    }

    /// The database can be used from here on.
    pub(crate) fn up(&self) {
        // In this order: who is told that it is ready may write.
        self.queue.open();
        self.state.up(&self.system);
    }

    /// It can't; what is queued fails, and what comes.
    pub(crate) fn down(&self, error: &Error) {
        // What is not known is one batch's outcome; what was not taken was not written.
        let error = match error {
            Error::Unknown { detail } => &Error::unavailable(detail.clone()),
            error => error,
        };
        self.state.down(&self.system, error);
        self.queue.refuse(error);
    }
}

impl<W, D> Writer<W, D> {
    pub(crate) fn new(shared: Arc<Shared<W, D>>) -> Self {
        Self(Arc::new(Open(shared)))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<W, D>> {
        &self.0.0
    }

    /// Hands `write` over and waits for its commit.
    ///
    /// A caller that is dropped loses nothing: the write is committed or not, as if the answer had been lost.
    ///
    /// # Errors
    /// [`Error::Unknown`] when it may have been committed; with every other error nothing was written.
    pub async fn write(&self, statement: Statement, write: W) -> Result<D, Error> {
        self.write_sized(statement, write, 0).await
    }

    /// The same for a write that holds so many `bytes` of memory: it is refused while those that wait hold too many.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when there is no room, and those of [`Writer::write`].
    pub async fn write_sized(&self, statement: Statement, write: W, bytes: usize) -> Result<D, Error> {
        let shared = self.shared();
        let call = Call::new(shared.system.span(statement));
        let answer = match shared.queue.push(write, bytes, call.span.link_target()) {
            Ok(answer) => answer.await,
            Err(error) => return call.finished(Err(error)),
        };
        let outcome = match answer {
            Ok(answer) => {
                if let Some(batch) = answer.batch {
                    call.span.link(batch);
                }
                answer.outcome
            }
            // The one who commits is gone with the batch in its hands.
            Err(_) => Err(Error::unknown("the writer stopped")),
        };
        call.finished(outcome)
    }
}

impl<W, D> Clone for Writer<W, D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W, D> Drop for Open<W, D> {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

/// The span of a read or write. Dropped before its end, it ends as cancelled.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) span: ActiveSpan,
    finished: bool,
}

impl Call {
    pub(crate) fn new(span: ActiveSpan) -> Self {
        Self { span, finished: false }
    }

    pub(crate) fn finished<T>(mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.finished = true;
        if let Err(error) = &outcome
            && self.span.is_sampled()
        {
            self.span.fail(error.kind(), error.to_string());
        }
        outcome
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.finished && self.span.is_sampled() {
            self.span.fail("cancelled", "the caller went away");
        }
    }
}
