//! The connection for reads, kept by a task of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::connect::{Connected, connect};
use super::failure::{Trouble, trouble, unavailable};
use super::session::Session;
use crate::backoff::Backoff;
use crate::writer::Shared;
use crate::{Error, PostgresUrl};

/// How long a read waits for a connection that is being made anew.
const OPENING: Duration = Duration::from_secs(1);

/// Cheap to clone; the connection ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    session: watch::Receiver<Result<Session, Error>>,
    signals: Arc<Signals>,
    end: Arc<watch::Sender<bool>>,
}

/// What the task that keeps the connection is told.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The schema is there: a connection is of use.
    pub(crate) begin: Notify,
    /// The connection is of no use any more.
    broken: Notify,
}

impl Reader {
    pub(crate) fn start<W, D>(url: PostgresUrl, shared: Arc<Shared<W, D>>) -> Self
    where
        W: Send + 'static,
        D: Send + 'static,
    {
        let (publish, session) = watch::channel(Err(Error::unavailable("it is being opened")));
        let (end, mut ended) = watch::channel(false);
        let signals = Arc::new(Signals::default());
        tokio::spawn({
            let signals = Arc::clone(&signals);
            async move {
                tokio::select! {
                    // The sender's end, with the last reader, is one too.
                    _ = ended.wait_for(|ended| *ended) => {}
                    () = keep(&url, &signals, &publish, &shared) => {}
                }
                let _ = publish.send_replace(Err(Error::unavailable("it is closed: the service is shutting down")));
            }
        });
        Self { session, signals, end: Arc::new(end) }
    }

    pub(crate) fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    pub(crate) fn close(&self) {
        self.end.send_replace(true);
    }

    /// The connection; one that is being made is waited for.
    async fn session(&self) -> Result<Session, Error> {
        let mut session = self.session.clone();
        let now = session.borrow_and_update().clone();
        if now.is_err() && !*self.end.borrow() {
            let _ = timeout(OPENING, session.wait_for(Result::is_ok)).await;
            return session.borrow().clone();
        }
        now
    }

    pub(crate) async fn read<T, F>(&self, f: impl FnOnce(Session) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let session = self.session().await?;
        match timeout(PATIENCE, f(session.clone())).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                match trouble(&error) {
                    Trouble::Broken => self.signals.broken.notify_one(),
                    Trouble::Again => session.forget_statements(),
                    Trouble::Row | Trouble::Passing => {}
                }
                Err(unavailable(&error))
            }
            Err(_) => {
                self.signals.broken.notify_one();
                Err(Error::unavailable(format!("it did not answer within {PATIENCE:?}")))
            }
        }
    }
}

/// Keeps a connection, for ever.
async fn keep<W, D>(
    url: &PostgresUrl,
    signals: &Signals,
    publish: &watch::Sender<Result<Session, Error>>,
    shared: &Shared<W, D>,
) {
    let mut backoff = Backoff::new();
    signals.begin.notified().await;
    loop {
        let error = match connect(url).await {
            Ok(Connected { session, lost }) => {
                let _ = publish.send_replace(Ok(session));
                // In this order: who is told that it is ready may read.
                shared.state.readable();
                backoff = Backoff::new();
                tokio::select! {
                    error = lost => error,
                    () = signals.broken.notified() => Error::unavailable("the connection broke"),
                }
            }
            Err(error) => error,
        };
        tracing::debug!("the connection for reads: {error}");
        shared.state.unreadable(&shared.system, &error);
        let _ = publish.send_replace(Err(error));
        sleep(backoff.next()).await;
    }
}
