//! The connector of a call: it remembers how dialling went, because that decides whether waiting makes sense.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use reach::{Connector, DialError, Stream};
use tokio::sync::Notify;
use tower::Service;

/// A connector and its memory; clones share both.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    connector: Connector,
    memory: Arc<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    connected: AtomicBool,
    last: Mutex<Option<Arc<DialError>>>,
    hopeless: Notify,
    failed: Notify,
}

impl Dialer {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, memory: Arc::default() }
    }

    /// Whether any connection came about.
    pub(super) fn connected(&self) -> bool {
        self.memory.connected.load(Ordering::Relaxed)
    }

    /// Resolves once a dial failed in a way that no repetition cures.
    pub(super) async fn hopeless(&self) {
        self.memory.hopeless.notified().await;
    }

    /// Resolves once a dial failed.
    pub(super) async fn failed(&self) {
        self.memory.failed.notified().await;
    }

    /// Whether the last dial failed in a way that ends also what has been answered before. A name that is not known is
    /// none: its pods may be on their way.
    pub(super) fn lost(&self) -> bool {
        let last = self.last_failure();
        last.is_some_and(|last| is_hopeless(&last) && !matches!(*last, DialError::NotFound { .. }))
    }

    pub(super) fn last_failure(&self) -> Option<Arc<DialError>> {
        self.memory.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Memory {
    fn note(&self, outcome: Result<(), &Arc<DialError>>) {
        let failure = match outcome {
            Ok(()) => {
                self.connected.store(true, Ordering::Relaxed);
                None
            }
            Err(error) => Some(error.clone()),
        };
        let hopeless = failure.as_deref().is_some_and(is_hopeless);
        let failed = failure.is_some();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        if hopeless {
            self.hopeless.notify_one();
        }
        if failed {
            self.failed.notify_one();
        }
    }
}

/// A name that does not exist, a place where the relay will not go, a tunnel that is gone for good. Refused and late
/// connections are not: the pod that is to answer may be starting.
fn is_hopeless(error: &DialError) -> bool {
    matches!(
        error,
        DialError::NotFound { .. } | DialError::Prohibited { .. } | DialError::BadTarget { .. } | DialError::Tunnel(_)
    )
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = Arc<DialError>;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, Arc<DialError>>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Arc<DialError>>> {
        self.connector.poll_ready(cx).map_err(Arc::new)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialling = self.connector.call(uri);
        let memory = self.memory.clone();
        Box::pin(async move {
            let outcome = dialling.await.map_err(Arc::new);
            memory.note(outcome.as_ref().map(|_| ()));
            outcome
        })
    }
}
