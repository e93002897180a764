//! The HTTP server: exporters and readers on one listener.

mod answer;
mod body;
mod exchange;
mod jaeger;
mod query;
mod receive;
mod worker;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Store;
use exchange::Exchange;

/// What the server bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a request's body, unpacked; a longer one is answered 413.
    pub max_body: usize,
    /// Bytes of all bodies that are being read. Beyond them a request waits, and is answered 503 with `Retry-After` when
    /// its time is over; so is one that said nothing of its length, or unpacks to many times its length, at once.
    pub max_bodies: usize,
    /// Connections; one more waits to be accepted.
    pub max_connections: usize,
    /// From the first moment of a connection, or from the last answer on it, to a whole request head.
    pub head_timeout: Duration,
    /// From a request's head to the end of its body; then 408.
    pub body_timeout: Duration,
    /// How long requests in flight have when the server is stopped.
    pub grace: Duration,
}

impl Default for Config {
    /// A batch of 512 spans takes a fifth of a MiB, and the largest of the OpenTelemetry Collector's some 4 MiB.
    fn default() -> Self {
        Self {
            max_body: 8 << 20,
            max_bodies: 8 << 20,
            max_connections: 256,
            // Exporters keep their connection from one batch to the next.
            head_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(10),
            grace: Duration::from_secs(1),
        }
    }
}

/// How long to wait when the system has no descriptor or memory for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `store` with the default [`Config`] until `stop`. Fails only if the system has no thread for it.
pub async fn serve(listener: TcpListener, store: Arc<Store>, stop: CancellationToken) -> io::Result<()> {
    serve_with(Config::default(), listener, store, stop).await
}

/// Serves `store` until `stop`; then the listener closes, and requests in flight have [`Config::grace`] to end. Dropped
/// before that, it accepts no more; connections that are open go on until their next request.
pub async fn serve_with(
    config: Config,
    listener: TcpListener,
    store: Arc<Store>,
    stop: CancellationToken,
) -> io::Result<()> {
    let stop = stop.child_token();
    // Whichever way this ends, no connection outlives it for long.
    let _stopped = stop.clone().drop_guard();
    let exchange = Arc::new(Exchange::new(config, store)?);
    let places = Arc::new(Semaphore::new(config.max_connections));
    let connections = TaskTracker::new();
    loop {
        let (socket, place) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let connection = connection(socket, exchange.clone(), stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    // What does not end in time ends with its runtime; it answers nothing that anybody waits for.
    let _ = timeout(config.grace, connections.wait()).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // Never closed.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, place),
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &io::Error) {
    // A client that left while it waited is no trouble of ours.
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "the receiver of spans can't accept connections, trying again in {PAUSE:?}");
        sleep(PAUSE).await;
    }
}

async fn connection(socket: TcpStream, exchange: Arc<Exchange>, stop: CancellationToken) {
    // Answers are written whole: waiting for more to send would only delay them.
    let _ = socket.set_nodelay(true);
    let head_timeout = exchange.config.head_timeout;
    let service = service_fn(move |request| {
        let exchange = exchange.clone();
        async move { Ok::<_, std::convert::Infallible>(exchange.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The client's doing, or a trace that was dropped while it was read.
        tracing::debug!(%error, "a connection to the receiver of spans broke off");
    }
}

/// Bytes that hyper may buffer of one connection, in each direction.
const MAX_BUFFER: usize = 32 * 1024;

#[cfg(test)]
mod double;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;
