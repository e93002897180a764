//! The thread that commits batches.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc::UnboundedSender;

use super::Apply;
use super::crowd::Crowd;
use super::failure::{Trouble, commit_is_unknown, describe, trouble, unavailable};
use super::file::{Database, lock_failed};
use crate::Error;
use crate::backoff::Backoff;
use crate::batch::{Batch, Settled, same};
use crate::writer::Shared;

/// For what waits without a time of its own.
const LONG: Duration = Duration::from_hours(1);

pub(crate) struct Committer<W, D, A> {
    shared: Arc<Shared<W, D>>,
    apply: A,
    database: Database,
    settled: UnboundedSender<Settled<D>>,
    /// Since the last commit that succeeded.
    trouble: Option<Backoff>,
    crowd: Crowd,
}

/// What comes after a batch.
enum Next {
    /// The next batch.
    Go,
    /// The same, but nothing could be committed this time.
    Failed(Error),
    /// The path leads to another file.
    Replaced,
    /// The connection is of no use.
    Broken(Error),
}

/// A batch that was not committed, and what that means for its connection.
struct Uncommitted {
    error: Error,
    /// Whether the file has to be opened anew.
    lasting: bool,
}

/// Why writes were not applied.
enum NotApplied {
    Database(rusqlite::Error),
    /// There is not one outcome for each of them.
    Miscounted(Error),
}

impl From<rusqlite::Error> for NotApplied {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

type Outcomes<D> = Vec<Result<D, Error>>;

impl<W: Send + 'static, D: Send + 'static, A: Apply<W, D>> Committer<W, D, A> {
    pub(crate) fn new(
        shared: Arc<Shared<W, D>>,
        apply: A,
        database: Database,
        settled: UnboundedSender<Settled<D>>,
    ) -> Self {
        Self { shared, apply, database, settled, trouble: None, crowd: Crowd::new() }
    }

    /// Until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while !self.is_finished() {
            let error = match self.database.open_for_writes() {
                Ok(connection) => {
                    self.shared.metrics.connects.inc();
                    self.shared.up();
                    let broken = self.serve(&connection);
                    self.database.close(connection);
                    broken
                }
                Err(error) => Err(error),
            };
            if let Err(error) = error {
                self.shared.down(&error);
                self.back_off();
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.shared.queue.is_closed() && self.shared.queue.is_empty()
    }

    /// Waits before the next try; being woken for a shutdown ends it.
    fn back_off(&mut self) {
        let until = Instant::now() + self.trouble.get_or_insert_with(Backoff::new).next();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.shared.queue.is_closed() {
                break;
            }
            thread::park_timeout(left);
        }
    }

    /// Commits what comes until the connection has to be made anew; an error says that this should wait.
    fn serve(&mut self, connection: &Connection) -> Result<(), Error> {
        loop {
            if self.shared.queue.is_empty() {
                if self.shared.queue.is_closed() {
                    return Ok(());
                }
                self.rest(connection);
                continue;
            }
            match self.batch(connection) {
                Next::Go => {}
                Next::Failed(error) => {
                    self.trouble.get_or_insert_with(Backoff::new);
                    self.shared.state.down(&self.shared.system, &error);
                }
                Next::Replaced => {
                    tracing::error!(path = %self.database.path.display(), "the database's file was replaced or removed");
                    return Ok(());
                }
                Next::Broken(error) => return Err(error),
            }
        }
    }

    /// Waits for work. After a failure it tries now and then whether writes are possible again.
    fn rest(&mut self, connection: &Connection) {
        let Some(backoff) = &mut self.trouble else {
            thread::park_timeout(LONG);
            return;
        };
        thread::park_timeout(backoff.next());
        if self.shared.queue.is_empty() && self.database.lock.lock().is_ok() {
            let written = connection.execute_batch("UPDATE database_schema SET version = version");
            self.database.lock.unlock();
            if written.is_ok() {
                self.recovered();
            }
        }
    }

    fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            self.shared.up();
        }
    }

    /// Waits for callers that are about to come back.
    fn gather(&self) {
        let queue = &self.shared.queue;
        while let Some(left) = self.crowd.wait(queue.len()) {
            if queue.is_closed() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    fn batch(&mut self, connection: &Connection) -> Next {
        self.gather();
        // What comes while we wait for others is part of the batch, so it is taken only afterwards.
        if let Err(error) = self.database.lock.lock() {
            return Next::Broken(lock_failed(&self.database.path, &error));
        }
        let next = if self.database.is_same_file() { self.locked_batch(connection) } else { Next::Replaced };
        self.database.lock.unlock();
        next
    }

    fn locked_batch(&mut self, connection: &Connection) -> Next {
        let started = Instant::now();
        let transaction = match begin(connection) {
            Ok(transaction) => transaction,
            Err(error) => {
                let told = unavailable(&error, &self.database.path);
                self.shared.metrics.failed();
                if trouble(&error) == Trouble::Lasting {
                    return Next::Broken(told);
                }
                self.shared.queue.fail(&told);
                return Next::Failed(told);
            }
        };
        let mut batch = self.shared.queue.take();
        if batch.writes.is_empty() {
            return Next::Go;
        }
        let span = batch.span(&self.shared.context.telemetry, &self.shared.system);
        let current = span.is_sampled().then(|| span.context().clone().attach());
        let committed = self.commit(connection, transaction, &mut batch);
        drop(current);
        let (outcomes, next) = match committed {
            Ok(outcomes) => {
                let lasted = started.elapsed();
                self.shared.metrics.committed(batch.writes.len(), lasted);
                self.crowd.committed(batch.writes.len(), self.shared.queue.len(), lasted);
                self.recovered();
                (outcomes, Next::Go)
            }
            Err(Uncommitted { error, lasting }) => {
                self.shared.metrics.failed();
                span.fail(error.kind(), error.to_string());
                let next = match (&error, lasting) {
                    (Error::Defect { .. }, _) => {
                        self.shared.state.failed(&self.shared.system, &error);
                        Next::Go
                    }
                    (_, true) => Next::Broken(error.clone()),
                    (_, false) => Next::Failed(error.clone()),
                };
                (same(batch.waiting.len(), &error), next)
            }
        };
        let link = span.link_target();
        // It ends before its callers hear of it, and so before theirs.
        drop(span);
        // Without a courier the runtime is gone, and with it every caller.
        let _ = self.settled.send(Settled { waiting: batch.waiting, outcomes, span: link });
        next
    }

    fn commit(
        &mut self,
        connection: &Connection,
        transaction: Transaction<'_>,
        batch: &mut Batch<W, D>,
    ) -> Result<Outcomes<D>, Uncommitted> {
        let (transaction, mut outcomes) = match self.applied(&transaction, &mut batch.writes) {
            Ok(outcomes) => (transaction, outcomes),
            Err(NotApplied::Database(error)) if trouble(&error) == Trouble::Row => {
                // Back to before the batch; a batch of one has its answer.
                drop(transaction);
                if let [_] = batch.writes.as_slice() {
                    return Ok(vec![self.refused(&error)]);
                }
                let transaction = begin(connection).map_err(|error| self.uncommitted(&error))?;
                let outcomes = self.singly(&transaction, &mut batch.writes)?;
                (transaction, outcomes)
            }
            Err(error) => return Err(self.not_applied(error)),
        };
        if failpoints::planted("ack-before-commit") {
            let waiting = std::mem::take(&mut batch.waiting);
            let _ = self.settled.send(Settled { waiting, outcomes: std::mem::take(&mut outcomes), span: None });
        }
        failpoints::hit("database.before_commit");
        transaction.commit().map_err(|error| self.uncommitted_at_commit(&error))?;
        failpoints::hit("database.after_commit");
        Ok(outcomes)
    }

    fn applied(&mut self, transaction: &Transaction<'_>, writes: &mut [W]) -> Result<Outcomes<D>, NotApplied> {
        let done = self.apply.apply(transaction, writes)?;
        if done.len() != writes.len() {
            return Err(NotApplied::Miscounted(Error::miscounted(done.len(), writes.len())));
        }
        Ok(done.into_iter().map(Ok).collect())
    }

    /// Each write in a savepoint of its own, so that one that is refused takes no other with it.
    fn singly(&mut self, transaction: &Transaction<'_>, writes: &mut [W]) -> Result<Outcomes<D>, Uncommitted> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let applied = transaction
                .execute_batch("SAVEPOINT single")
                .map_err(NotApplied::from)
                .and_then(|()| self.applied(transaction, std::slice::from_mut(write)));
            match applied {
                Ok(single) => outcomes.extend(single),
                Err(NotApplied::Database(error)) if trouble(&error) == Trouble::Row => {
                    let undone = transaction.execute_batch("ROLLBACK TO single");
                    undone.map_err(|error| self.uncommitted(&error))?;
                    outcomes.push(self.refused(&error));
                }
                Err(error) => return Err(self.not_applied(error)),
            }
            transaction.execute_batch("RELEASE single").map_err(|error| self.uncommitted(&error))?;
        }
        Ok(outcomes)
    }

    fn refused(&self, error: &rusqlite::Error) -> Result<D, Error> {
        self.shared.metrics.refused();
        Err(Error::refused(describe(error, &self.database.path)))
    }

    fn not_applied(&self, error: NotApplied) -> Uncommitted {
        match error {
            NotApplied::Database(error) => self.uncommitted(&error),
            NotApplied::Miscounted(error) => Uncommitted { error, lasting: false },
        }
    }

    fn uncommitted(&self, error: &rusqlite::Error) -> Uncommitted {
        Uncommitted { error: unavailable(error, &self.database.path), lasting: trouble(error) == Trouble::Lasting }
    }

    fn uncommitted_at_commit(&self, error: &rusqlite::Error) -> Uncommitted {
        let told = self.uncommitted(error);
        if commit_is_unknown(error) {
            return Uncommitted { error: Error::unknown(describe(error, &self.database.path)), ..told };
        }
        told
    }
}

/// For writes at once: a transaction that begins as a read may find that it can't become one.
fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}
