//! A service's life between its start and its exit.
//!
//! The shutdown goes in steps, so that no request is lost on the way:
//! 1. readiness fails; traffic is served as ever for `drain_delay`, while endpoints, proxies and balancers get to
//!    know, and each answer asks its client to leave. Where they take longer, on a node that is short of CPU, new
//!    connections go on coming: then it goes on as well, for half of `drain_timeout` at most. (Seen on a machine
//!    with three times its load: connections went to a pod that had left 5 s after its readiness.) Without a delay
//!    nobody has to get to know, and this step is left out;
//! 2. the listener closes, after the connections in its backlog were taken; idle connections are closed, requests in
//!    flight go on;
//! 3. after `drain_timeout` what is left is cut. A second request to shut down goes straight on to the next step.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use telemetry::Telemetry;
use telemetry::metrics::prometheus_client::metrics::counter::Counter;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::accept::Acceptor;
use crate::admin;
use crate::config::{ADMIN_ADDR, LISTEN_ADDR, Limits, ServeConfig};
use crate::connection::Port;
use crate::drain::{Drain, Phase};
use crate::exchange::Routers;
use crate::health::Health;
use crate::listen::{ListenError, listen};
use crate::shutdown::Shutdown;

/// A service that could not be served to its proper end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("can't listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error(
        "{0} requests were still in flight when the drain ended, and were cut; DRAIN_TIMEOUT sets how long they may take"
    )]
    Cut(usize),
}

/// A shutdown that lost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained;

/// Without a new connection for so long, nobody is sent here any more.
///
/// Longer than the second after which a SYN that got no answer is sent again (RFC 6298, section 2.1), for it is sent to
/// the same pod: tens of them are, in a rollout under load, where ports are used again.
const QUIET: Duration = Duration::from_millis(1_500);

/// How long connections that were cut have to end.
const LAST: Duration = Duration::from_millis(500);

/// Binds, serves until SIGTERM or SIGINT, drains.
pub async fn serve(
    app: Router,
    config: ServeConfig,
    health: Health,
    telemetry: &Telemetry,
) -> Result<Drained, ServeError> {
    let shutdown = Shutdown::on_signals().map_err(ServeError::Signals)?;
    Server::bind(config)?.run(app, health, telemetry, shutdown).await
}

/// A service that is listening and not serving yet.
#[derive(Debug)]
pub struct Server {
    config: ServeConfig,
    traffic: TcpListener,
    admin: TcpListener,
    addresses: (SocketAddr, SocketAddr),
}

impl Server {
    /// Listens on both ports.
    pub fn bind(config: ServeConfig) -> Result<Self, ServeError> {
        let (traffic, traffic_at) = open(config.listen, LISTEN_ADDR)?;
        let (admin, admin_at) = open(config.admin, ADMIN_ADDR)?;
        Ok(Self { config, traffic, admin, addresses: (traffic_at, admin_at) })
    }

    /// The traffic port's address, with the port that the system chose where 0 was asked for.
    pub fn traffic_addr(&self) -> SocketAddr {
        self.addresses.0
    }

    /// The admin port's address.
    pub fn admin_addr(&self) -> SocketAddr {
        self.addresses.1
    }

    /// Serves `app` until `shutdown` asks to leave, then drains.
    pub async fn run(
        self,
        app: Router,
        health: Health,
        telemetry: &Telemetry,
        mut shutdown: Shutdown,
    ) -> Result<Drained, ServeError> {
        let limits = self.config.limits;
        let admin = Open::admin(self.admin, &limits, &health, telemetry);
        let traffic = Open::traffic(self.traffic, limits, app, telemetry);
        tracing::info!(listen = %self.addresses.0, admin = %self.addresses.1, "serving");

        let asked = shutdown.asked().await;
        health.drain();
        let delay = self.config.drain_delay;
        tracing::info!(asked, ?delay, "shutting down: readiness fails, traffic is still served");
        traffic.drain.enter(Phase::Leaving);
        let asked_at = Instant::now();
        if !delay.is_zero() {
            either(leaving(delay, self.config.drain_timeout / 2, &traffic.connections), &mut shutdown).await;
        }

        traffic.drain.enter(Phase::Draining);
        let beyond = asked_at.elapsed().saturating_sub(delay);
        let left = self.config.drain_timeout.saturating_sub(beyond);
        either(timeout(left, traffic.connections.finished()), &mut shutdown).await;
        traffic.close().await;
        admin.close().await;
        match traffic.connections.cut() {
            0 => {
                tracing::info!("drained");
                Ok(Drained)
            }
            cut => Err(ServeError::Cut(cut)),
        }
    }
}

/// A port that is served.
#[derive(Debug)]
struct Open {
    drain: Drain,
    connections: Acceptor,
}

impl Open {
    fn traffic(listener: TcpListener, limits: Limits, app: Router, telemetry: &Telemetry) -> Self {
        let refused = Counter::default();
        telemetry.metrics().register(
            "http_server_refused_connections",
            "Connections beyond MAX_CONNECTIONS, answered 503.",
            refused.clone(),
        );
        Self::start(listener, limits, Routers::observed(app, telemetry), refused)
    }

    fn admin(listener: TcpListener, limits: &Limits, health: &Health, telemetry: &Telemetry) -> Self {
        let router = admin::router(health.clone(), telemetry.clone());
        Self::start(listener, admin::limits(limits), Routers::plain(router), Counter::default())
    }

    fn start(listener: TcpListener, limits: Limits, routers: Routers, refused: Counter) -> Self {
        let drain = Drain::new();
        let port = Port { routers: Arc::new(routers), drain: drain.clone(), limits: Arc::new(limits) };
        let connections = Acceptor::new(port, refused);
        tokio::spawn(connections.clone().run(listener));
        Self { drain, connections }
    }

    /// Cuts what is left.
    async fn close(&self) {
        self.drain.enter(Phase::Cut);
        let _ = timeout(LAST, self.connections.finished()).await;
    }
}

fn open(address: SocketAddr, variable: &'static str) -> Result<(TcpListener, SocketAddr), ListenError> {
    let listener = listen(address, variable)?;
    let bound = listener.local_addr().unwrap_or(address);
    Ok((listener, bound))
}

/// The delay, and what it takes beyond it until no more connections are sent here.
async fn leaving(delay: Duration, longest: Duration, connections: &Acceptor) {
    sleep(delay).await;
    let begun = Instant::now();
    if timeout(longest, connections.quiet(QUIET.min(delay))).await.is_err() {
        tracing::warn!("{longest:?} after DRAIN_DELAY connections still come; going on with the drain");
    } else if begun.elapsed() > QUIET {
        tracing::info!(extra = ?begun.elapsed(), "connections came for longer than DRAIN_DELAY");
    }
}

/// Waits for `step`, or for another request to shut down.
async fn either(step: impl Future, shutdown: &mut Shutdown) {
    tokio::select! {
        biased;
        _ = step => {}
        asked = shutdown.asked() => tracing::info!(asked, "asked again: going on at once"),
    }
}
