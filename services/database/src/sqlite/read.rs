//! The thread that reads.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
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
        let job = Job::Read(Box::new(move |source| {
            // A caller that has gone does not hold up those behind it.
            if !reply.is_closed() {
                let _ = reply.send(source.read(f));
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

    fn read<T>(&mut self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let connection = self.connection()?;
        let error = match f(connection) {
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
