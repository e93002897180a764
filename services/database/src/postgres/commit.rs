//! The task that commits batches.

use std::sync::Arc;
use std::time::Instant;

use telemetry::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::Error as PgError;

use super::connect::{COMMITS, Connected, Lost, connect};
use super::failure::{Trouble, describe, trouble};
use super::migrate::migrate;
use super::session::{Session, Transaction};
use super::{Apply, PATIENCE};
use crate::backoff::Backoff;
use crate::batch::{Batch, Settled, same};
use crate::writer::Shared;
use crate::{Error, Migrations, PostgresUrl};

/// How often a batch is tried whose failure was nobody's.
const TRIES: usize = 3;

pub(crate) struct Committer<W, D, A> {
    shared: Arc<Shared<W, D>>,
    apply: A,
    url: PostgresUrl,
    migrations: Migrations,
    /// Told each time that the schema is there.
    migrated: Arc<Notify>,
    backoff: Backoff,
}

/// A batch that was not committed, or may have been.
struct Uncommitted {
    error: Error,
    /// Whether the connection is of no use.
    broken: bool,
}

type Outcomes<D> = Vec<Result<D, Error>>;

impl<W: Send + 'static, D: Send + 'static, A: Apply<W, D>> Committer<W, D, A> {
    pub(crate) fn new(
        shared: Arc<Shared<W, D>>,
        apply: A,
        url: PostgresUrl,
        migrations: Migrations,
        migrated: Arc<Notify>,
    ) -> Self {
        Self { shared, apply, url, migrations, migrated, backoff: Backoff::new() }
    }

    /// Until the queue is closed and empty.
    pub(crate) async fn run(mut self) {
        while !self.is_finished() {
            let error = match self.opened().await {
                Ok(Connected { session, lost }) => {
                    self.shared.metrics.connects.inc();
                    self.shared.up();
                    self.migrated.notify_one();
                    match self.serve(&session, lost).await {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.shared.down(&error);
            self.back_off().await;
        }
    }

    fn is_finished(&self) -> bool {
        self.shared.queue.is_closed() && self.shared.queue.is_empty()
    }

    async fn opened(&mut self) -> Result<Connected, Error> {
        let connected = connect(&self.url, COMMITS).await?;
        migrate(&connected.session, self.migrations).await?;
        Ok(connected)
    }

    async fn back_off(&mut self) {
        let wait = sleep(self.backoff.next());
        tokio::pin!(wait);
        while !self.shared.queue.is_closed() {
            tokio::select! {
                () = &mut wait => break,
                // A shutdown is not to wait for it.
                () = self.shared.queue.changed.notified() => {}
            }
        }
    }

    /// Commits what comes until the queue is closed and empty. The error is that of a connection that broke.
    async fn serve(&mut self, session: &Session, mut lost: Lost) -> Result<(), Error> {
        loop {
            if self.shared.queue.is_empty() {
                if self.shared.queue.is_closed() {
                    return Ok(());
                }
                tokio::select! {
                    error = &mut lost => return Err(error),
                    () = self.shared.queue.changed.notified() => {}
                }
                continue;
            }
            self.batch(session).await?;
        }
    }

    async fn batch(&mut self, session: &Session) -> Result<(), Error> {
        let mut batch = self.shared.queue.take();
        if batch.writes.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let span = batch.span(&self.shared.context.telemetry, &self.shared.system);
        let committed = if span.is_sampled() {
            let context = span.context().clone();
            self.commit(session, &mut batch).with_context(context).await
        } else {
            self.commit(session, &mut batch).await
        };
        let (outcomes, result) = match committed {
            Ok(outcomes) => {
                self.shared.metrics.committed(batch.writes.len(), started.elapsed());
                self.backoff = Backoff::new();
                self.shared.state.up(&self.shared.system);
                (outcomes, Ok(()))
            }
            Err(Uncommitted { error, broken }) => {
                self.shared.metrics.failed();
                span.fail(error.kind(), error.to_string());
                self.shared.state.failed(&self.shared.system, &error);
                (same(batch.waiting.len(), &error), if broken { Err(error) } else { Ok(()) })
            }
        };
        let link = span.link_target();
        // It ends before its callers hear of it, and so before theirs.
        drop(span);
        Settled { waiting: batch.waiting, outcomes, span: link }.deliver();
        result
    }

    /// The batch as a whole, or else its writes singly.
    async fn commit(&mut self, session: &Session, batch: &mut Batch<W, D>) -> Result<Outcomes<D>, Uncommitted> {
        for _ in 0..TRIES {
            let error = match self.applied(session, BEGIN, &mut batch.writes).await? {
                Ok(outcomes) => return self.finished(session, batch, outcomes).await,
                Err(error) => error,
            };
            if trouble(&error) == Trouble::Broken {
                return Err(Uncommitted::broken(describe(&error)));
            }
            rollback(session).await?;
            match trouble(&error) {
                Trouble::Again => session.forget_statements(),
                Trouble::Row if batch.writes.len() == 1 => return Ok(vec![self.refused(&error)]),
                Trouble::Row => {
                    let outcomes = self.singly(session, &mut batch.writes).await?;
                    return self.finished(session, batch, outcomes).await;
                }
                Trouble::Passing | Trouble::Broken => return Err(Uncommitted::passing(describe(&error))),
            }
        }
        Err(Uncommitted::passing("it could not be written beside what others wrote"))
    }

    /// Has the writes applied behind `begin`, which goes to the server together with the first statement.
    async fn applied(
        &mut self,
        session: &Session,
        begin: &str,
        writes: &mut [W],
    ) -> Result<Result<Outcomes<D>, PgError>, Uncommitted> {
        let transaction = Transaction::new(session);
        let count = writes.len();
        let both = async {
            tokio::join!(biased; session.client().batch_execute(begin), self.apply.apply(&transaction, writes))
        };
        let (started, applied) = timeout(PATIENCE, both).await.map_err(|_| Uncommitted::late())?;
        let done = match started.and(applied) {
            Ok(done) => done,
            Err(error) => return Ok(Err(error)),
        };
        if !transaction.is_good() {
            // Broken, because what is still under way would be answered into the next transaction.
            return Err(Uncommitted::broken("a statement failed or was dropped, and its error was kept back"));
        }
        if done.len() != count {
            rollback(session).await?;
            return Err(Uncommitted { error: Error::miscounted(done.len(), count), broken: false });
        }
        Ok(Ok(done.into_iter().map(Ok).collect()))
    }

    /// Each write in a savepoint of its own, so that one that is refused takes no other with it.
    async fn singly(&mut self, session: &Session, writes: &mut [W]) -> Result<Outcomes<D>, Uncommitted> {
        let mut outcomes = Vec::with_capacity(writes.len());
        let mut begin = BEGIN_SINGLY;
        for write in writes {
            match self.applied(session, begin, std::slice::from_mut(write)).await? {
                Ok(single) => outcomes.extend(single),
                Err(error) if trouble(&error) == Trouble::Row => {
                    execute(session, "ROLLBACK TO single").await?;
                    outcomes.push(self.refused(&error));
                }
                Err(error) if trouble(&error) == Trouble::Broken => {
                    return Err(Uncommitted::broken(describe(&error)));
                }
                Err(error) => {
                    rollback(session).await?;
                    return Err(Uncommitted::passing(describe(&error)));
                }
            }
            begin = NEXT_SINGLY;
        }
        Ok(outcomes)
    }

    async fn finished(
        &mut self,
        session: &Session,
        batch: &mut Batch<W, D>,
        mut outcomes: Outcomes<D>,
    ) -> Result<Outcomes<D>, Uncommitted> {
        if failpoints::planted("ack-before-commit") {
            let waiting = std::mem::take(&mut batch.waiting);
            Settled { waiting, outcomes: std::mem::take(&mut outcomes), span: None }.deliver();
            // Their callers are to run before the commit, or nobody could see the fault.
            tokio::task::yield_now().await;
        }
        failpoints::hit("database.before_commit");
        let committed = timeout(PATIENCE, session.client().batch_execute("COMMIT")).await;
        failpoints::hit("database.after_commit");
        match committed {
            Ok(Ok(())) => Ok(outcomes),
            Ok(Err(error)) if trouble(&error) == Trouble::Broken => Err(Uncommitted::unknown(describe(&error))),
            Ok(Err(error)) => Err(Uncommitted::passing(describe(&error))),
            Err(_) => Err(Uncommitted::unknown(format!("no answer to COMMIT within {PATIENCE:?}"))),
        }
    }

    fn refused(&self, error: &PgError) -> Result<D, Error> {
        self.shared.metrics.refused();
        Err(Error::refused(describe(error)))
    }
}

const BEGIN: &str = "BEGIN";
const BEGIN_SINGLY: &str = "BEGIN; SAVEPOINT single";
const NEXT_SINGLY: &str = "RELEASE single; SAVEPOINT single";

impl Uncommitted {
    fn passing(detail: impl Into<String>) -> Self {
        Self { error: Error::unavailable(detail), broken: false }
    }

    fn broken(detail: impl Into<String>) -> Self {
        Self { error: Error::unavailable(detail), broken: true }
    }

    fn unknown(detail: impl Into<String>) -> Self {
        Self { error: Error::unknown(detail), broken: true }
    }

    fn late() -> Self {
        Self::broken(format!("it did not answer within {PATIENCE:?}"))
    }
}

async fn rollback(session: &Session) -> Result<(), Uncommitted> {
    execute(session, "ROLLBACK").await
}

/// Any failure of what can't fail is the connection's.
async fn execute(session: &Session, command: &str) -> Result<(), Uncommitted> {
    let done = timeout(PATIENCE, session.client().batch_execute(command)).await.map_err(|_| Uncommitted::late())?;
    done.map_err(|error| Uncommitted::broken(describe(&error)))
}
