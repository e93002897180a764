//! The thread that reads.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::STACK;
use super::failure::{Trouble, trouble, unavailable};
use super::file::Database;
use crate::Error;

/// Reads that may wait.
const LONGEST: usize = 1024;

/// How long a read may take, its turn included.
const PATIENCE: Duration = Duration::from_secs(10);

enum Job {
    Read(Box<dyn FnOnce(&mut Source) + Send>),
    Close(oneshot::Sender<()>),
}

/// Hands reads to their thread.
#[derive(Clone)]
pub(crate) struct Reader(SyncSender<Job>);

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    /// A thread that ends with the last reader. Where there can be none, every read says so.
    pub(crate) fn start(database: Database) -> Self {
        let (sender, jobs) = sync_channel(LONGEST);
        let thread = thread::Builder::new().name("sqlite-read".to_owned()).stack_size(STACK);
        // Without a thread the channel is closed.
        let _ = thread.spawn(move || Source { database, open: None }.run(&jobs));
        Self(sender)
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let caller = Caller::default();
        let turn = Arc::clone(&caller.0);
        let job = Job::Read(Box::new(move |source| {
            // A caller that has gone does not hold up those behind it.
            if !reply.is_closed() {
                let _ = reply.send(source.read(&turn, f));
            }
        }));
        match self.0.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Error::Overloaded),
            Err(TrySendError::Disconnected(_)) => return Err(Error::unavailable("its thread for reads has ended")),
        }
        match timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Error::unavailable("its thread for reads has ended")),
            Err(_) => Err(Error::unavailable(format!("it did not answer within {PATIENCE:?}"))),
        }
    }

    /// Closes the connection, once what waits is read.
    pub(crate) async fn close(&self) {
        let (closed, closing) = oneshot::channel();
        if self.0.try_send(Job::Close(closed)).is_ok() {
            let _ = timeout(PATIENCE, closing).await;
        }
    }
}

/// Who waits for a read. Once that is nobody, because it took too long or its request is gone, the read is ended.
#[derive(Default)]
struct Caller(Arc<Turn>);

impl Drop for Caller {
    fn drop(&mut self) {
        // Under the lock, so that no other's read is ended. One that has not had its first step yet goes on.
        if let Some(handle) = self.0.lock().as_ref() {
            handle.interrupt();
        }
    }
}

/// How a read can be ended, while it is being made.
#[derive(Default)]
struct Turn(Mutex<Option<InterruptHandle>>);

impl Turn {
    fn begin(&self, handle: InterruptHandle) {
        *self.lock() = Some(handle);
    }

    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<InterruptHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own.
struct Source {
    database: Database,
    /// With the generation of the file it was opened in.
    open: Option<(u64, Connection)>,
}

impl Source {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Read(read) => read(&mut self),
                Job::Close(closed) => {
                    self.close();
                    self.database.lock.close();
                    let _ = closed.send(());
                }
            }
        }
        self.close();
    }

    fn read<T>(&mut self, turn: &Turn, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let connection = self.connection()?;
        turn.begin(connection.get_interrupt_handle());
        let outcome = f(connection);
        turn.end();
        let error = match outcome {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if trouble(&error) == Trouble::Lasting {
            self.close();
        }
        Err(unavailable(&error, &self.database.path))
    }

    /// The connection to the file that the writer has open.
    fn connection(&mut self) -> Result<&Connection, Error> {
        let generation = self.database.generation.now();
        if self.open.as_ref().is_some_and(|(opened, _)| *opened != generation) {
            self.close();
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => (generation, self.database.open_for_reads()?),
        };
        Ok(&self.open.insert(open).1)
    }

    fn close(&mut self) {
        if let Some((_, connection)) = self.open.take() {
            self.database.close(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Migrations;
    use crate::sqlite::file::Generation;

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_is_ended() {
        let file = std::env::temp_dir().join(format!("database-read-ended-{}", std::process::id()));
        Connection::open(&file).unwrap().execute_batch("PRAGMA journal_mode = wal").unwrap();
        let reader = Reader::start(Database::new(file.clone(), Migrations { steps: &[] }, Generation::default()));
        let (begun, beginning) = oneshot::channel();
        let endless = {
            let reader = reader.clone();
            tokio::spawn(async move {
                let read = |connection: &Connection| {
                    let mut select = connection
                        .prepare("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")?;
                    let mut rows = select.query([])?;
                    rows.next()?;
                    let _ = begun.send(());
                    while rows.next()?.is_some() {}
                    Ok(())
                };
                reader.read(read).await
            })
        };
        beginning.await.unwrap();
        endless.abort();

        let one = |connection: &Connection| connection.query_row("SELECT 1", [], |row| row.get::<_, i64>(0));
        assert_eq!(reader.read(one).await, Ok(1));
        reader.close().await;
        for ending in ["", ".lock", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
        }
    }
}
