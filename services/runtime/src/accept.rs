//! The accept loop of one port.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use telemetry::metrics::prometheus_client::metrics::counter::Counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::connection::{End, Port};
use crate::drain::Phase;
use crate::overload::Overload;

/// How long to wait when the system has no descriptor or memory for a connection; the ones that are open will free
/// some.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the drain begins, and knows those that are open.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    port: Port,
    slots: Arc<Semaphore>,
    overload: Overload,
    connections: TaskTracker,
    arrivals: Arc<Arrivals>,
    cut: Arc<AtomicUsize>,
    refused: Counter,
}

/// When the last connection came.
#[derive(Debug)]
struct Arrivals {
    start: Instant,
    /// Milliseconds after `start`; an atomic, since every connection sets it.
    last: AtomicU64,
}

impl Acceptor {
    /// Counts in `refused` the connections beyond the cap.
    pub(crate) fn new(port: Port, refused: Counter) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(port.limits.max_connections.min(Semaphore::MAX_PERMITS))),
            port,
            overload: Overload::new(),
            connections: TaskTracker::new(),
            arrivals: Arc::new(Arrivals { start: Instant::now(), last: AtomicU64::new(0) }),
            cut: Arc::new(AtomicUsize::new(0)),
            refused,
        }
    }

    /// Returns once the drain has begun and the listener is closed.
    pub(crate) async fn run(self, listener: TcpListener) {
        let drain = self.port.drain.clone();
        let mut draining = std::pin::pin!(drain.until(Phase::Draining));
        loop {
            tokio::select! {
                biased;
                () = &mut draining => break,
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => self.take(socket),
                    Err(error) => pause(&error).await,
                },
            }
        }
        self.take_backlog(listener);
        self.connections.close();
    }

    /// Waits until no connection has come for as long as `pause`.
    pub(crate) async fn quiet(&self, pause: Duration) {
        while let Some(left) = pause.checked_sub(self.arrivals.ago()).filter(|left| !left.is_zero()) {
            sleep(left).await;
        }
    }

    /// Waits until [`Acceptor::run`] has closed the listener and every connection has ended.
    pub(crate) async fn finished(&self) {
        self.connections.wait().await;
    }

    /// Connections that ended with a request unanswered because the shutdown's deadline had passed.
    pub(crate) fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }

    fn take(&self, socket: TcpStream) {
        self.arrivals.now();
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            self.refused.inc();
            tracing::debug!("a connection beyond the cap was refused");
            if let Some(refusal) = self.overload.refuse(socket) {
                self.connections.spawn(refusal);
            }
            return;
        };
        let port = self.port.clone();
        let cut = self.cut.clone();
        self.connections.spawn(async move {
            if port.serve(socket).await == End::Cut {
                cut.fetch_add(1, Ordering::Relaxed);
            }
            drop(slot);
        });
    }

    /// What the kernel accepted before the listener closes would be reset by closing it: those clients are connected,
    /// and served.
    fn take_backlog(&self, listener: TcpListener) {
        // The plain listener, because the runtime's knows of a connection only after its next turn.
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((socket, _)) = listener.accept() {
            let socket = socket.set_nonblocking(true).and_then(|()| TcpStream::from_std(socket));
            match socket {
                Ok(socket) => self.take(socket),
                Err(error) => tracing::debug!(%error, "a connection was gone before it was served"),
            }
        }
    }
}

impl Arrivals {
    fn now(&self) {
        self.last.store(self.elapsed(), Ordering::Relaxed);
    }

    fn ago(&self) -> Duration {
        Duration::from_millis(self.elapsed().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

async fn pause(error: &io::Error) {
    // A client that left while it waited is no trouble of ours.
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    ) {
        return;
    }
    tracing::warn!(%error, "can't accept connections, trying again in {PAUSE:?}");
    sleep(PAUSE).await;
}
