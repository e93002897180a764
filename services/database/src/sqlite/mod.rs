//! `SQLite`: a file for the processes of one host.
//!
//! One thread commits batches, a second one reads; WAL lets both work at once. `synchronous=FULL`: a write is on the
//! disk before its caller hears of it. Several processes may share the file: an advisory lock on `PATH.lock`, held
//! while the file is opened and during each write transaction, queues them up, where `SQLite` itself would let the
//! unlucky one starve: of twelve processes that wrote without a pause for 1.5 s, the slowest write waited for 23 to 106 ms
//! with the lock, and for 0.4 to 1.2 s without.

mod commit;
mod crowd;
mod failure;
mod file;
mod lock;
mod read;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, Thread};

pub use rusqlite;
use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, watch};

use crate::batch::Settled;
use crate::statement::{Statement, System};
use crate::writer::{Call, Shared};
use crate::{Context, Error, Migrations, Writer};
use commit::Committer;
use file::{Database, Generation};
use read::Reader;

/// A thread's stack, in bytes. `SQLite` and the statements of a service need a fraction of it.
const STACK: usize = 512 * 1024;

/// Applies writes.
pub trait Apply<W, D>: Send + 'static {
    /// Applies `writes` inside `transaction`, which the caller begins and commits, and returns what became of each, in
    /// order: as many as there are writes.
    ///
    /// It may be called again with the same writes, after a roll-back: nothing may be taken out of a write that a second
    /// try needs. Constraints must not be deferred to the commit, where nobody can say whose write broke them.
    ///
    /// With another number of outcomes nothing is committed, and every caller gets [`Error::Defect`].
    ///
    /// # Errors
    /// A constraint's or a value's error makes the caller roll back and apply the writes singly.
    fn apply(&mut self, transaction: &Transaction<'_>, writes: &mut [W]) -> rusqlite::Result<Vec<D>>;
}

/// A service's `SQLite` database. Cheap to clone; closed with the last clone, or by [`Sqlite::close`].
#[derive(Debug)]
pub struct Sqlite<W, D> {
    writer: Writer<W, D>,
    reader: Reader,
    ended: watch::Receiver<()>,
}

impl<W: Send + 'static, D: Send + 'static> Sqlite<W, D> {
    /// Opens the file at `path`, which is made if it is missing, and brings its schema up to date, on a thread of its
    /// own: this returns at once, and the service is ready once that has succeeded. To be called in a tokio runtime.
    pub fn open(path: PathBuf, migrations: Migrations, apply: impl Apply<W, D>, context: Context) -> Self {
        let namespace = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let shared = Shared::new(System { name: "sqlite", namespace, server: None }, context);
        let generation = Generation::default();
        let (settled, settling) = mpsc::unbounded_channel();
        let reader = Reader::start(Database::new(path.clone(), migrations, generation.clone()));
        let database = Database::new(path, migrations, generation);
        let committer = Committer::new(Arc::clone(&shared), apply, database, settled);
        let (end, ended) = watch::channel(());
        let thread = thread::Builder::new().name("sqlite-write".to_owned()).stack_size(STACK);
        match thread.spawn(move || committer.run()) {
            Ok(handle) => {
                tokio::spawn(courier(Arc::clone(&shared), handle.thread().clone(), settling, end));
            }
            Err(error) => shared.down(&Error::unavailable(format!("can't start a thread: {error}"))),
        }
        Self { writer: Writer::new(shared), reader, ended }
    }

    /// Where writes go.
    pub fn writer(&self) -> &Writer<W, D> {
        &self.writer
    }

    /// Runs `f` on the connection for reads: short statements, because one runs at a time. Writes there are refused.
    ///
    /// # Errors
    /// Nothing is ever [`Error::Unknown`] to a read.
    pub async fn read<T: Send + 'static>(
        &self,
        statement: Statement,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.writer.shared();
        let call = Call::new(shared.system.span(statement));
        let outcome = match shared.queue.check() {
            Ok(()) => self.reader.read(f).await,
            Err(error) => Err(error),
        };
        call.finished(outcome)
    }

    /// Commits what is queued, refuses what comes, and closes the file.
    pub async fn close(&self) {
        self.writer.shared().queue.close();
        // The channel closes with the courier, which goes when the thread has ended.
        let _ = self.ended.clone().changed().await;
        self.reader.close().await;
    }
}

impl<W, D> Clone for Sqlite<W, D> {
    fn clone(&self) -> Self {
        Self { writer: self.writer.clone(), reader: self.reader.clone(), ended: self.ended.clone() }
    }
}

/// Goes between the runtime and the thread, so that a batch costs one wake-up in each direction.
///
/// Woken by the first write, it runs behind every task that is ready by then: their writes are in the same batch. On
/// the way back it answers a batch's callers from within the runtime, where waking a task is no system call.
async fn courier<W, D>(
    shared: Arc<Shared<W, D>>,
    thread: Thread,
    mut settled: mpsc::UnboundedReceiver<Settled<D>>,
    _end: watch::Sender<()>,
) {
    // When the runtime goes, the thread goes.
    let closing = Closing(&shared, &thread);
    let watch = shared.queue.watch();
    tokio::pin!(watch);
    loop {
        tokio::select! {
            biased;
            batch = settled.recv() => match batch {
                Some(batch) => batch.deliver(),
                None => break,
            },
            () = shared.queue.changed.notified() => thread.unpark(),
            () = &mut watch => {}
        }
    }
    drop(closing);
}

struct Closing<'a, W, D>(&'a Arc<Shared<W, D>>, &'a Thread);

impl<W, D> Drop for Closing<'_, W, D> {
    fn drop(&mut self) {
        self.0.queue.close();
        self.1.unpark();
    }
}
