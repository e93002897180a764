//! The connection for reads, kept by a task of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::connect::{Connected, READS, connect};
use super::failure::{Trouble, trouble, unavailable};
use super::session::Session;
use crate::backoff::Backoff;
use crate::{Error, PostgresUrl};

/// How long a read waits for a connection that is being made anew.
const OPENING: Duration = Duration::from_secs(1);

/// A connection that has answered nobody for so long is broken: the server ends each statement in half of that.
const SILENCE: Duration = Duration::from_secs(10);

/// Cheap to clone; the connection ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    open: watch::Receiver<Result<Open, Error>>,
    end: Arc<watch::Sender<bool>>,
}

/// A connection, and who is told that it is of no use any more. Each has its own: what is said of one, and perhaps late,
/// is never taken for the next one's.
#[derive(Clone, Debug)]
struct Open {
    session: Session,
    broken: Arc<Notify>,
}

impl Reader {
    /// Connects once it is told that the schema is there, so that a connection is of use.
    pub(crate) fn start(url: PostgresUrl, migrated: Arc<Notify>) -> Self {
        let (publish, open) = watch::channel(Err(Error::unavailable("it is being opened")));
        let (end, mut ended) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                // The sender's end, with the last reader, is one too.
                _ = ended.wait_for(|ended| *ended) => {}
                () = keep(&url, &migrated, &publish) => {}
            }
            let _ = publish.send_replace(Err(Error::unavailable("it is closed: the service is shutting down")));
        });
        Self { open, end: Arc::new(end) }
    }

    pub(crate) fn close(&self) {
        self.end.send_replace(true);
    }

    /// The connection; one that is being made is waited for.
    async fn open(&self) -> Result<Open, Error> {
        let mut open = self.open.clone();
        let now = open.borrow_and_update().clone();
        if now.is_err() && !*self.end.borrow() {
            let _ = timeout(OPENING, open.wait_for(Result::is_ok)).await;
            return open.borrow().clone();
        }
        now
    }

    pub(crate) async fn read<T, F>(&self, f: impl FnOnce(Session) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let Open { session, broken } = self.open().await?;
        match timeout(PATIENCE, f(session.clone())).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                match trouble(&error) {
                    Trouble::Broken => broken.notify_one(),
                    Trouble::Again => session.forget_statements(),
                    Trouble::Row | Trouble::Passing => {}
                }
                Err(unavailable(&error))
            }
            Err(_) => {
                // One that answers others is only slow with this one.
                if session.silent_for() >= SILENCE {
                    broken.notify_one();
                }
                Err(Error::unavailable(format!("it did not answer within {PATIENCE:?}")))
            }
        }
    }
}

/// Keeps a connection, for ever.
async fn keep(url: &PostgresUrl, migrated: &Notify, publish: &watch::Sender<Result<Open, Error>>) {
    let mut backoff = Backoff::new();
    migrated.notified().await;
    loop {
        let error = match connect(url, READS).await {
            Ok(Connected { session, lost }) => {
                let broken = Arc::new(Notify::new());
                let _ = publish.send_replace(Ok(Open { session, broken: Arc::clone(&broken) }));
                backoff = Backoff::new();
                tokio::select! {
                    error = lost => error,
                    () = broken.notified() => Error::unavailable("the connection broke"),
                }
            }
            Err(error) => error,
        };
        tracing::debug!("the connection for reads: {error}");
        let _ = publish.send_replace(Err(error));
        sleep(backoff.next()).await;
    }
}
