//! A connection whose statements are prepared once.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// A connection. Cheap to clone; clones share it, and their statements are pipelined.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    begun: Instant,
    /// When a statement was answered last, in milliseconds after `begun`.
    answered: AtomicU64,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("closed", &self.0.client.is_closed()).finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(client: Client) -> Self {
        Self(Arc::new(Inner {
            client,
            statements: Mutex::default(),
            begun: Instant::now(),
            answered: AtomicU64::new(0),
        }))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// How long no statement was answered, of whomever.
    pub(crate) fn silent_for(&self) -> Duration {
        let answered = Duration::from_millis(self.0.answered.load(Ordering::Relaxed));
        self.0.begun.elapsed().saturating_sub(answered)
    }

    /// Notes that a statement was answered, well or not.
    fn answered<T>(&self, answer: T) -> T {
        let now = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.answered.store(now, Ordering::Relaxed);
        answer
    }

    /// The rows of `sql`, which is prepared at its first use.
    pub async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        self.answered(self.0.client.query(&statement, params).await)
    }

    /// The row of `sql`, or none; more than one is an error.
    pub async fn query_opt(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        let statement = self.prepared(sql).await?;
        self.answered(self.0.client.query_opt(&statement, params).await)
    }

    /// The count of rows that `sql` changed.
    pub async fn execute(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        self.answered(self.0.client.execute(&statement, params).await)
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.0.client.prepare(sql).await?;
        self.statements().insert(sql, statement.clone());
        Ok(statement)
    }

    /// Has every statement prepared anew: a migration may have changed what it gives.
    pub(crate) fn forget_statements(&self) {
        // Outside the lock: each of them is closed with a message.
        let forgotten = std::mem::take(&mut *self.statements());
        drop(forgotten);
    }

    fn statements(&self) -> MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.0.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction of a batch. It is begun and committed by the caller of [`super::Apply::apply`].
#[derive(Debug)]
pub struct Transaction<'a> {
    session: &'a Session,
    /// Statements that were sent and not answered.
    pending: AtomicUsize,
    failed: AtomicBool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session, pending: AtomicUsize::new(0), failed: AtomicBool::new(false) }
    }

    /// The rows of `sql`, which is prepared once a connection.
    pub async fn query(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.noted(self.session.query(sql, params)).await
    }

    /// The row of `sql`, or none; more than one is an error.
    pub async fn query_opt(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Error> {
        self.noted(self.session.query_opt(sql, params)).await
    }

    /// The count of rows that `sql` changed.
    pub async fn execute(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.noted(self.session.execute(sql, params)).await
    }

    /// Whether every statement was answered, and well. Postgres answers a COMMIT of a failed transaction with success,
    /// and rolls it back: what `apply` says is not enough to go by.
    pub(crate) fn is_good(&self) -> bool {
        self.pending.load(Ordering::Relaxed) == 0 && !self.failed.load(Ordering::Relaxed)
    }

    async fn noted<T>(&self, statement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let result = statement.await;
        // Not reached by a future that is dropped half way: its answer is not known.
        self.pending.fetch_sub(1, Ordering::Relaxed);
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}
