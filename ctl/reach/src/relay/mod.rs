//! What runs in the pod: HTTP/2 CONNECT on the pod's loopback, to what cluster DNS names.
//!
//! Only who may port-forward to the pod reaches it. Each CONNECT resolves its authority once, checks the address against
//! the [policy](RelayConfig::allow) and dials that address. What became of the dial is told in the answer's status and
//! its `Proxy-Status` field (RFC 9209): 200, 403 prohibited, 404 no such name, 502 refused or unroutable, 503 too many
//! streams, 504 timed out. A broken stream is reset, never ended, and so is its TCP connection (RFC 9113 section 8.5).

mod cidr;
mod config;
mod connection;
mod dial;
mod dns;
mod idle;
mod policy;
mod pump;
#[cfg(test)]
pub(crate) mod testing;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use cidr::{Cidr, InvalidCidr};
pub(crate) use config::{ALLOW_VARIABLE, IDLE_VARIABLE, write_duration};
pub use config::{PORT, RelayConfig, RelayConfigError};
use dial::Dialer;
use dns::ResolvConf;
use idle::Activity;

/// Why the relay ended, when it ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// No stream was open, and none came, for the idle timeout.
    Idle,
    /// SIGTERM or SIGINT.
    Signal,
}

/// Why the relay could not run.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("the relay listens on loopback only, and {0} is not")]
    NotLoopback(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    ResolvConf { path: std::path::PathBuf, source: io::Error },
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
}

/// Serves until idle, SIGTERM or SIGINT; then lets open streams finish within the drain timeout.
///
/// # Errors
/// The address is not loopback or taken, or `/etc/resolv.conf` can't be read.
pub async fn serve(config: RelayConfig) -> Result<Ended, RelayError> {
    if !config.listen.ip().is_loopback() {
        return Err(RelayError::NotLoopback(config.listen));
    }
    let text = std::fs::read_to_string(&config.resolv_conf)
        .map_err(|source| RelayError::ResolvConf { path: config.resolv_conf.clone(), source })?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RelayError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RelayError::Signals)?;
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| RelayError::Listen { address, source })?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "relay listening");
    let dialer = Dialer::new(&config, ResolvConf::parse(&text));
    let ended = Relay::new(config, dialer).run(listener, either(&mut terminate, &mut interrupt)).await;
    tracing::info!(?ended, "relay ended");
    Ok(ended)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// What all connections share.
#[derive(Debug)]
struct Relay {
    config: RelayConfig,
    dialer: Dialer,
    streams: Semaphore,
    activity: Activity,
    closing: CancellationToken,
}

impl Relay {
    fn new(config: RelayConfig, dialer: Dialer) -> Arc<Self> {
        Arc::new(Self {
            streams: Semaphore::new(config.max_streams),
            activity: Activity::default(),
            closing: CancellationToken::new(),
            dialer,
            config,
        })
    }

    async fn run(self: Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) -> Ended {
        let connections = TaskTracker::new();
        let ended = tokio::select! {
            () = stop => Ended::Signal,
            () = self.activity.idle_for(self.config.idle_timeout) => Ended::Idle,
            () = accept(&self, &listener, &connections) => Ended::Signal,
        };
        drop(listener);
        self.closing.cancel();
        connections.close();
        let drained = tokio::time::timeout(self.config.drain_timeout, connections.wait()).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "cut off what was still open");
        }
        ended
    }
}

/// Takes connections for ever, at most so many at a time; the rest wait in the kernel's queue.
async fn accept(relay: &Arc<Relay>, listener: &TcpListener, connections: &TaskTracker) {
    let places = Arc::new(Semaphore::new(relay.config.max_connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                relay.activity.touch();
                let relay = Arc::clone(relay);
                connections.spawn(async move {
                    serve_socket(relay, socket).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: some are freed as streams end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_socket(relay: Arc<Relay>, socket: TcpStream) {
    let _ = socket.set_nodelay(true);
    if let Err(error) = connection::serve(relay, socket).await {
        tracing::debug!(%error, "a connection broke off");
    }
}
