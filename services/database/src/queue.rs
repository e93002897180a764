//! Writes on their way to the database.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use telemetry::span::LinkTarget;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep_until;

use crate::Error;
use crate::batch::{Answer, Batch, Waiting};

/// The most writes in one transaction: what is lost to a roll-back, and how long others wait for the lock, stay small.
pub(crate) const LARGEST_BATCH: usize = 256;

/// Bytes in one transaction: what goes to the server at once is copied on its way.
const LARGEST_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Writes that may wait. At the rates that a database keeps up with, this is less than a second's.
const LONGEST: usize = 4096;

/// Bytes of writes that were not answered yet, those in a transaction included: what a database that hangs makes us hold.
/// One that is larger is taken alone.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// How long a write may wait for its transaction to begin: behind a database that hangs, a caller is told so.
const PATIENCE: Duration = Duration::from_secs(5);

/// A bounded queue with many writers and one that commits.
#[derive(Debug)]
pub(crate) struct Queue<W, D> {
    inner: Mutex<Inner<W, D>>,
    /// Of all that was not answered.
    bytes: Arc<AtomicUsize>,
    /// Something was pushed, or the queue was closed.
    pub(crate) changed: Notify,
    /// Something was pushed while nobody watched.
    unwatched: Notify,
}

#[derive(Debug)]
struct Inner<W, D> {
    entries: VecDeque<(W, Waiting<D>)>,
    admission: Admission,
    watched: bool,
}

/// A write's part of the bound, until it is answered.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Admission {
    Open,
    /// The database is away.
    Refused(Error),
    Closed,
}

impl<W, D> Queue<W, D> {
    /// A queue that admits nothing yet.
    pub(crate) fn new() -> Self {
        let starting = Error::unavailable("it is being opened");
        let inner = Inner { entries: VecDeque::new(), admission: Admission::Refused(starting), watched: false };
        Self { inner: Mutex::new(inner), bytes: Arc::default(), changed: Notify::new(), unwatched: Notify::new() }
    }

    /// Queues `write`, which holds so many `bytes`; what becomes of it comes through the receiver.
    pub(crate) fn push(
        &self,
        write: W,
        bytes: usize,
        target: Option<LinkTarget>,
    ) -> Result<oneshot::Receiver<Answer<D>>, Error> {
        let (reply, answer) = oneshot::channel();
        let unwatched = {
            let mut inner = self.lock();
            inner.admission.check()?;
            if inner.entries.len() >= LONGEST {
                return Err(Error::Overloaded);
            }
            let held = self.hold(bytes)?;
            inner.entries.push_back((write, Waiting { reply, target, since: Instant::now(), held }));
            !std::mem::replace(&mut inner.watched, true)
        };
        self.changed.notify_one();
        if unwatched {
            self.unwatched.notify_one();
        }
        Ok(answer)
    }

    fn hold(&self, bytes: usize) -> Result<Held, Error> {
        // What is added is added under the lock; what is answered meanwhile only makes room.
        let others = self.bytes.load(Ordering::Relaxed);
        // What holds none, such as the record of a delivery, is what makes room: it is always taken.
        if bytes > 0 && others > 0 && others.saturating_add(bytes) > MOST_BYTES {
            return Err(Error::Overloaded);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(Held { bytes, all: Arc::clone(&self.bytes) })
    }

    /// Takes what is queued, as much as fits one batch.
    pub(crate) fn take(&self) -> Batch<W, D> {
        let mut inner = self.lock();
        let mut bytes = 0_usize;
        let fits = |(_, waiting): &&(W, Waiting<D>)| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(waiting.held.bytes);
            first || bytes <= LARGEST_BATCH_BYTES
        };
        let count = inner.entries.iter().take(LARGEST_BATCH).take_while(fits).count();
        inner.entries.drain(..count).collect()
    }

    /// How many writes wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// Whether nothing will come any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().admission == Admission::Closed
    }

    /// Whether the database can be asked.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.lock().admission.check()
    }

    /// Takes writes from here on, unless it is closed.
    pub(crate) fn open(&self) {
        let mut inner = self.lock();
        if inner.admission != Admission::Closed {
            inner.admission = Admission::Open;
        }
    }

    /// Refuses writes from here on, and all that are queued, with `error`.
    pub(crate) fn refuse(&self, error: &Error) {
        let entries = {
            let mut inner = self.lock();
            if inner.admission != Admission::Closed {
                inner.admission = Admission::Refused(error.clone());
            }
            std::mem::take(&mut inner.entries)
        };
        // Outside the lock: an answer wakes its caller.
        for (_, waiting) in entries {
            waiting.answer(Err(error.clone()), None);
        }
    }

    /// Fails what is queued with `error`, and goes on taking writes.
    pub(crate) fn fail(&self, error: &Error) {
        let entries = std::mem::take(&mut self.lock().entries);
        for (_, waiting) in entries {
            waiting.answer(Err(error.clone()), None);
        }
    }

    /// Takes nothing more; what is queued is still to be committed.
    pub(crate) fn close(&self) {
        self.lock().admission = Admission::Closed;
        self.changed.notify_one();
    }

    /// Fails writes that have waited for too long. To be run as a task beside the one that commits.
    pub(crate) async fn watch(&self) {
        loop {
            self.unwatched.notified().await;
            while let Some(oldest) = self.oldest() {
                sleep_until((oldest + PATIENCE).into()).await;
                self.expire();
            }
        }
    }

    /// When the first in the queue came; with nothing queued, the watch ends.
    fn oldest(&self) -> Option<Instant> {
        let mut inner = self.lock();
        let oldest = inner.entries.front().map(|(_, waiting)| waiting.since);
        inner.watched = oldest.is_some();
        oldest
    }

    fn expire(&self) {
        let now = Instant::now();
        let late: Vec<_> = {
            let mut inner = self.lock();
            let count = inner.entries.partition_point(|(_, waiting)| now.duration_since(waiting.since) >= PATIENCE);
            inner.entries.drain(..count).collect()
        };
        for (_, waiting) in late {
            let error = Error::unavailable(format!("it did not take the write within {PATIENCE:?}"));
            waiting.answer(Err(error), None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<W, D>> {
        // No code that can panic runs half way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Open => Ok(()),
            Self::Refused(error) => Err(error.clone()),
            Self::Closed => Err(Error::unavailable("it is closed: the service is shutting down")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Queue<u32, ()> {
        let queue = Queue::new();
        queue.open();
        queue
    }

    #[tokio::test]
    async fn what_is_queued_is_one_batch_with_a_bound() {
        let queue = open();
        let _answers: Vec<_> = (0..300).map(|write| queue.push(write, 0, None).unwrap()).collect();
        let first = queue.take();
        assert_eq!((first.writes.len(), first.writes[0], first.writes[255]), (256, 0, 255));
        assert_eq!(queue.take().writes.len(), 44);
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn a_queue_takes_what_the_database_will_keep_up_with_and_no_more() {
        let queue = open();
        let _answers: Vec<_> = (0..4096).map(|write| queue.push(write, 0, None).unwrap()).collect();
        assert_eq!(queue.push(0, 0, None).unwrap_err(), Error::Overloaded);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_by_bytes_until_it_is_answered() {
        const LARGE: usize = 1024 * 1024;
        let queue = open();
        let mut answers: Vec<_> = (0..32).map(|write| queue.push(write, LARGE, None).unwrap()).collect();
        assert_eq!(queue.push(32, 1, None).unwrap_err(), Error::Overloaded);
        answers.push(queue.push(33, 0, None).expect("what holds none is taken"));

        let batch = queue.take();
        assert_eq!(batch.writes.len(), 8, "a transaction has a bound as well");
        assert_eq!(queue.push(34, 1, None).unwrap_err(), Error::Overloaded, "they are not answered yet");
        for waiting in batch.waiting {
            waiting.answer(Ok(()), None);
        }
        answers.push(queue.push(35, 8 * LARGE, None).expect("there is room again"));
        queue.refuse(&Error::unavailable("gone"));
        queue.open();
        answers.push(queue.push(36, 40 * LARGE, None).expect("one that is too large is taken alone"));
        assert_eq!(queue.take().writes, [36]);
    }

    #[tokio::test]
    async fn a_database_that_goes_away_fails_what_is_queued_and_what_comes() {
        let queue = open();
        let waiting = queue.push(1, 0, None).unwrap();
        let away = Error::unavailable("gone");
        queue.refuse(&away);
        assert_eq!(waiting.await.unwrap().outcome, Err(away.clone()));
        assert_eq!(queue.push(2, 0, None).unwrap_err(), away);
        queue.open();
        assert!(queue.push(3, 0, None).is_ok());
    }

    #[tokio::test]
    async fn what_is_queued_when_it_is_closed_is_still_there() {
        let queue = open();
        let _answer = queue.push(1, 0, None).unwrap();
        queue.close();
        queue.open();
        assert!(matches!(queue.push(2, 0, None), Err(Error::Unavailable { .. })));
        assert_eq!(queue.take().writes, [1]);
    }

    #[tokio::test]
    async fn a_write_that_nobody_takes_is_told_so() {
        let queue = open();
        let waiting = queue.push(1, 0, None).unwrap();
        let started = Instant::now();
        let answer = tokio::select! {
            () = queue.watch() => unreachable!("it goes on for ever"),
            answer = waiting => answer.unwrap(),
        };
        assert!(matches!(answer.outcome, Err(Error::Unavailable { .. })));
        assert!(started.elapsed() >= PATIENCE);
        assert!(queue.is_empty());
    }
}
