//! The server: connections of the user's own processes, until it is told to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::operations::Operations;
use super::{Info, connect, peer, route};
use crate::balance::pause;
use crate::names::Names;

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;
/// For a request's head.
const HEAD: Duration = Duration::from_secs(10);
/// For answers that are on their way when everything stops.
const LAST: Duration = Duration::from_secs(2);

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) supervisor: S,
    pub(super) names: Names,
    pub(super) info: Info,
    pub(super) stop: CancellationToken,
}

impl<S> Shared<S> {
    pub(super) fn new(supervisor: S, names: Names, info: Info, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self { supervisor, names, info, stop })
    }
}

pub(super) async fn run<S: Operations>(listener: UnixListener, shared: Arc<Shared<S>>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        if let Some((client, slot)) = accepted {
            connections.spawn(connection(client, Arc::clone(&shared), slot));
        }
    }
    drop(listener);
    connections.close();
    let _ = timeout(LAST, connections.wait()).await;
}

/// The next connection, unless it is somebody else's.
async fn accept(listener: &UnixListener, slots: &Arc<Semaphore>) -> Option<(UnixStream, OwnedSemaphorePermit)> {
    // Never closed, so there is always one to come.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((client, _)) => peer::is_ours(&client).then_some((client, slot)),
        Err(error) => {
            pause(&error).await;
            None
        }
    }
}

async fn connection<S: Operations>(client: UnixStream, shared: Arc<Shared<S>>, slot: OwnedSemaphorePermit) {
    let slot = Arc::new(slot);
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, slot) = (Arc::clone(&shared), Arc::clone(&slot));
        async move {
            Ok::<_, Infallible>(if request.method() == Method::CONNECT {
                connect::connect(request, &shared.names, slot).await
            } else {
                route::answer(&shared, request).await
            })
        }
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            // Nobody on this machine needs to be told the time.
            .auto_date_header(false)
            .serve_connection(TokioIo::new(client), service)
            .with_upgrades()
    );
    tokio::select! {
        // How a connection ends is its client's affair.
        _ = &mut serving => return,
        () = shared.stop.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
