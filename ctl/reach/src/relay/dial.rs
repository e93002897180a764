//! From a host and a port to a connection: resolve once, check, dial what was checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::RelayConfig;
use super::dns::{ResolvConf, ResolveError, Resolved, Resolver};
use super::policy::{Origin, Policy};
use crate::proxy_status::Refusal;

/// A target that vanished without a word is noticed after about three times this.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) details: String,
}

impl Refused {
    pub(super) fn new(refusal: Refusal, details: impl Into<String>) -> Self {
        Self { refusal, details: details.into() }
    }
}

#[derive(Debug)]
pub(super) struct Dialer {
    resolver: Resolver,
    pub(super) policy: Policy,
    limit: Duration,
    /// A headless Service has an address for each pod: start with another one each time.
    turn: AtomicUsize,
}

impl Dialer {
    pub(super) fn new(config: &RelayConfig, conf: ResolvConf) -> Self {
        Self {
            resolver: Resolver::new(conf),
            policy: Policy::new(config.allow.clone()),
            limit: config.dial_timeout,
            turn: AtomicUsize::new(0),
        }
    }

    /// A connection to `port` of `host`, which is a name or an address.
    pub(super) async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Refused> {
        let dialled = timeout(self.limit, async {
            let first = self.connect(&self.resolve(host).await?, port).await;
            match first {
                // The address may be an old one: pods come and go.
                Err(refused) if refused.refusal != Refusal::Prohibited && self.resolver.forget(host) => {
                    self.connect(&self.resolve(host).await?, port).await
                }
                other => other,
            }
        });
        dialled.await.unwrap_or_else(|_| {
            let details = format!("{host}:{port} did not accept a connection within {:?}", self.limit);
            Err(Refused::new(Refusal::ConnectionTimeout, details))
        })
    }

    async fn resolve(&self, host: &str) -> Result<Resolved, Refused> {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(Resolved { addresses: vec![address], origin: Origin::Elsewhere, cached: false });
        }
        self.resolver.resolve(host).await.map_err(|error| {
            let refusal = match error {
                ResolveError::NotFound { .. } | ResolveError::NotAName(_) => Refusal::NoSuchName,
                ResolveError::Failed { .. } => Refusal::DnsError,
                ResolveError::TimedOut { .. } => Refusal::DnsTimeout,
            };
            Refused::new(refusal, error.to_string())
        })
    }

    async fn connect(&self, resolved: &Resolved, port: u16) -> Result<TcpStream, Refused> {
        let count = resolved.addresses.len();
        let start = self.turn.fetch_add(1, Ordering::Relaxed) % count.max(1);
        let mut failed = Refused::new(Refusal::NoSuchName, "the name has no address");
        for at in 0..count {
            let address = resolved.addresses[(start + at) % count];
            if let Some(why) = self.policy.refuses(address, resolved.origin) {
                failed = Refused::new(Refusal::Prohibited, why);
                continue;
            }
            let address = SocketAddr::new(address, port);
            // Leave time for the other addresses.
            let limit = self.limit / u32::try_from(count.min(3)).unwrap_or(1);
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(target)) => return Ok(prepared(target)),
                Ok(Err(error)) => failed = connect_failed(address, &error),
                Err(_) => {
                    let details = format!("{address} did not answer within {limit:?}");
                    failed = Refused::new(Refusal::ConnectionTimeout, details);
                }
            }
        }
        Err(failed)
    }
}

fn prepared(target: TcpStream) -> TcpStream {
    let _ = target.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let _ = SockRef::from(&target).set_tcp_keepalive(&keepalive);
    target
}

fn connect_failed(address: SocketAddr, error: &io::Error) -> Refused {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    let refusal = match error.kind() {
        io::ErrorKind::ConnectionRefused => Refusal::ConnectionRefused,
        io::ErrorKind::TimedOut => Refusal::ConnectionTimeout,
        _ => Refusal::Unroutable,
    };
    Refused::new(refusal, format!("{address}: {text}"))
}
