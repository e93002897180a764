//! The thread that reads.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
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
use crate::backoff::Backoff;
use crate::writer::Shared;

/// Reads that may wait.
const LONGEST: usize = 1024;

/// How long a read may take, its turn included.
const PATIENCE: Duration = Duration::from_secs(10);

enum Job {
    /// The file is there: it is to be opened before the first read comes.
    Open(Box<dyn Opening>),
    Read(Box<dyn FnOnce(&mut Source) + Send>),
    Close(oneshot::Sender<()>),
}

/// Who is told whether the file can be read.
pub(crate) trait Opening: Send {
    fn opened(&self);
    fn failed(&self, error: &Error);
}

impl<W: Send, D: Send> Opening for Arc<Shared<W, D>> {
    fn opened(&self) {
        self.state.readable();
    }

    fn failed(&self, error: &Error) {
        self.state.unreadable(&self.system, error);
    }
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
        let _ = thread.spawn(move || Source { database, open: None, opening: None }.run(&jobs));
        Self(sender)
    }

    /// Has the file opened, and tells `opening` once it is.
    pub(crate) fn open(&self, opening: impl Opening + 'static) {
        // It comes before every read, so there is room. Without a thread the service is never ready, and reads say why.
        let _ = self.0.try_send(Job::Open(Box::new(opening)));
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
    /// Until the file was opened for the first time.
    opening: Option<(Box<dyn Opening>, Backoff)>,
}

impl Source {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Some(job) = self.next(jobs) {
            match job {
                Job::Open(opening) => {
                    self.opening = Some((opening, Backoff::new()));
                    self.try_to_open();
                }
                Job::Read(read) => read(&mut self),
                Job::Close(closed) => {
                    self.opening = None;
                    self.close();
                    self.database.lock.close();
                    let _ = closed.send(());
                }
            }
        }
        self.close();
    }

    /// The next job, or none once there will be no more. Meanwhile the file is opened that could not be.
    fn next(&mut self, jobs: &Receiver<Job>) -> Option<Job> {
        loop {
            let Some((_, backoff)) = &mut self.opening else {
                return jobs.recv().ok();
            };
            match jobs.recv_timeout(backoff.next()) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => self.try_to_open(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn try_to_open(&mut self) {
        let failed = self.connection().err();
        match (&self.opening, failed) {
            (Some((opening, _)), Some(error)) => opening.failed(&error),
            (Some((opening, _)), None) => {
                opening.opened();
                self.opening = None;
            }
            (None, _) => {}
        }
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
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::Migrations;
    use crate::sqlite::file::Generation;

    struct Told(Sender<Result<(), Error>>);

    impl Opening for Told {
        fn opened(&self) {
            let _ = self.0.send(Ok(()));
        }

        fn failed(&self, error: &Error) {
            let _ = self.0.send(Err(error.clone()));
        }
    }

    #[tokio::test]
    async fn a_file_that_can_not_be_read_yet_is_opened_without_a_read_once_it_can() {
        let file = std::env::temp_dir().join(format!("database-read-{}", std::process::id()));
        let reader = Reader::start(Database::new(file.clone(), Migrations { steps: &[] }, Generation::default()));
        let (sender, told) = channel();
        reader.open(Told(sender));
        let first = told.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(first, Err(Error::Unavailable { .. })), "{first:?}");

        Connection::open(&file).unwrap().execute_batch("PRAGMA journal_mode = wal").unwrap();
        while told.recv_timeout(PATIENCE).unwrap().is_err() {}
        assert!(told.recv().is_err(), "it is told once");
        reader.close().await;
        for ending in ["", ".lock", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
        }
    }

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
