//! Postgres: one connection commits batches, a second one reads; both are made anew when they break. They are encrypted as
//! the URL's `sslmode` says ([`PostgresUrl::parse`]), by rustls. Services have no file system of a system around them, so
//! authorities come from the file that the URL's `sslrootcert` names alone.

mod commit;
mod connect;
mod failure;
mod migrate;
mod read;
mod session;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
pub use tokio_postgres;

use crate::statement::{Statement, System};
use crate::url::place;
use crate::writer::{Call, Shared};
use crate::{Context, Error, Migrations, PostgresUrl, Writer};
use commit::Committer;
use read::Reader;
pub use session::{Session, Transaction};

/// How long the server may take for one transaction or read before its connection counts as broken.
const PATIENCE: Duration = Duration::from_secs(15);

/// Applies writes.
pub trait Apply<W, D>: Send + 'static {
    /// Applies `writes` inside `transaction`, which the caller begins and commits, and returns what became of each, in
    /// order: as many as there are writes.
    ///
    /// It may be called again with the same writes, after a roll-back: nothing may be taken out of a write that a second
    /// try needs. An error that a statement gave is to be returned; the transaction is of no use after it. Constraints
    /// must not be deferred to the commit, where nobody can say whose write broke them. A statement's round trip is
    /// most of its cost: give it arrays, and send those that do not need each other's rows together
    /// (`tokio::try_join!`).
    ///
    /// With another number of outcomes nothing is committed, and every caller gets [`Error::Defect`].
    ///
    /// # Errors
    /// A constraint's or a value's error makes the caller roll back and apply the writes singly.
    fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        writes: &mut [W],
    ) -> impl Future<Output = Result<Vec<D>, tokio_postgres::Error>> + Send;
}

/// A service's Postgres database. Cheap to clone; closed with the last clone, or by [`Postgres::close`].
#[derive(Debug)]
pub struct Postgres<W, D> {
    writer: Writer<W, D>,
    reader: Reader,
    ended: watch::Receiver<()>,
}

impl<W: Send + 'static, D: Send + 'static> Postgres<W, D> {
    /// Connects to `url` and brings the schema up to date, in a task: this returns at once, and the service is ready
    /// once that has succeeded. To be called in a tokio runtime.
    pub fn open(url: PostgresUrl, migrations: Migrations, apply: impl Apply<W, D>, context: Context) -> Self {
        let shared = Shared::new(system(&url), context);
        let (end, ended) = watch::channel(());
        let migrated = Arc::new(Notify::new());
        let reader = Reader::start(url.clone(), Arc::clone(&migrated));
        let committer = Committer::new(Arc::clone(&shared), apply, url, migrations, migrated);
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                tokio::select! {
                    () = committer.run() => {}
                    () = shared.queue.watch() => {}
                }
                drop(end);
            }
        });
        Self { writer: Writer::new(shared), reader, ended }
    }

    /// Where writes go.
    pub fn writer(&self) -> &Writer<W, D> {
        &self.writer
    }

    /// Runs `f` with the connection for reads, which others use at the same time: statements are pipelined, and there is
    /// no transaction around them. A statement holds up those behind it, so the server ends it after 5 s.
    ///
    /// # Errors
    /// Nothing is ever [`Error::Unknown`] to a read.
    pub async fn read<T, F>(&self, statement: Statement, f: impl FnOnce(Session) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let shared = self.writer.shared();
        let call = Call::new(shared.system.span(statement));
        let outcome = match shared.queue.check() {
            Ok(()) => self.reader.read(f).await,
            Err(error) => Err(error),
        };
        call.finished(outcome)
    }

    /// Commits what is queued, refuses what comes, and closes the connections.
    pub async fn close(&self) {
        self.writer.shared().queue.close();
        // The channel closes when the task has ended.
        let _ = self.ended.clone().changed().await;
        self.reader.close();
    }
}

impl<W, D> Clone for Postgres<W, D> {
    fn clone(&self) -> Self {
        Self { writer: self.writer.clone(), reader: self.reader.clone(), ended: self.ended.clone() }
    }
}

fn system(url: &PostgresUrl) -> System {
    match url.config() {
        Ok(config) => {
            let (host, port, namespace) = place(&config);
            System { name: "postgresql", namespace, server: Some((host, port)) }
        }
        // A mounted secret that is not there yet; it is read again.
        Err(_) => System { name: "postgresql", namespace: String::new(), server: None },
    }
}
