//! What all services of a project share: the name proxy, and the receiver of spans.

use std::net::SocketAddr;
use std::sync::Arc;

use ::local::names::{JAEGER, Names, Route};
use ::local::{Net, Telemetry, proxy};
use http::Uri;
use spans::{Limits, Stats, Store};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::collector::{self, OTLP_PORT, QUERY_PORT};
use crate::error::{Error, ExitCode};

/// Listening as long as it is there.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) net: Net,
    pub(super) telemetry: Telemetry,
    /// None where the environment names another one who keeps traces.
    receiver: Option<Receiver>,
    _proxy: AbortOnDropHandle<()>,
}

/// Keeps the spans that it is sent.
#[derive(Debug)]
struct Receiver {
    store: Arc<Store>,
    _task: AbortOnDropHandle<()>,
    _stop: DropGuard,
}

impl Shared {
    pub(super) async fn start(namespace: &str) -> Result<Self, Error> {
        let names = Names::new(namespace);
        let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok().filter(|endpoint| !endpoint.is_empty());
        let (endpoint, receiver) = if let Some(endpoint) = endpoint {
            let (host, port) = otlp(&endpoint)?;
            names.host(JAEGER, OTLP_PORT, Route::Host(host.clone(), port));
            let (host, port) = query()?.unwrap_or((host, QUERY_PORT));
            names.host(JAEGER, QUERY_PORT, Route::Host(host, port));
            (endpoint, None)
        } else {
            let (listener, address) = listen().await?;
            names.host(JAEGER, OTLP_PORT, address);
            names.host(JAEGER, QUERY_PORT, address);
            (format!("http://{address}"), Some(Receiver::start(listener)))
        };
        let (listener, proxy) = listen().await?;
        Ok(Self {
            net: Net { names: names.clone(), proxy },
            telemetry: Telemetry { endpoint },
            receiver,
            _proxy: AbortOnDropHandle::new(tokio::spawn(proxy::serve(listener, names))),
        })
    }

    /// What the receiver has, where there is one.
    pub(super) fn stats(&self) -> Option<Stats> {
        self.receiver.as_ref().map(|receiver| receiver.store.stats())
    }
}

impl Receiver {
    fn start(listener: TcpListener) -> Self {
        let store = Arc::new(Store::new(Limits::default()));
        let stop = CancellationToken::new();
        let (kept, stopping) = (store.clone(), stop.clone());
        let task = tokio::spawn(async move {
            // It fails only where the system has no thread for it; then spans are refused, and services go on.
            let _ = spans::serve(listener, kept, stopping).await;
        });
        Self { store, _task: AbortOnDropHandle::new(task), _stop: stop.drop_guard() }
    }
}

/// On any port of this machine alone.
async fn listen() -> Result<(TcpListener, SocketAddr), Error> {
    let listening = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listening.await.map_err(|cause: std::io::Error| {
        Error::new(ExitCode::Failed, "cannot listen on 127.0.0.1").why(cause.to_string())
    })
}

/// Where the environment of `up` says that traces are read.
fn query() -> Result<Option<(String, u16)>, Error> {
    let named = std::env::var("MSCTL_JAEGER").ok().filter(|named| !named.is_empty());
    named.map(|named| collector::place(&named).map(|asked| asked.query())).transpose()
}

/// Host and port of a collector that the environment of `up` names.
fn otlp(endpoint: &str) -> Result<(String, u16), Error> {
    let uri = endpoint.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let place = uri.as_ref().and_then(|uri| Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(OTLP_PORT))));
    place.ok_or_else(|| {
        Error::usage(format!("cannot send spans to `{endpoint}`"))
            .why("it has no scheme http or https, or no host")
            .place("OTEL_EXPORTER_OTLP_ENDPOINT")
            .next("http://HOST:4318, or unset it: msctl up receives spans itself")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_of_the_environment_is_a_host_and_a_port() {
        assert_eq!(otlp("http://127.0.0.1:4318").unwrap(), ("127.0.0.1".to_owned(), 4318));
        assert_eq!(otlp("https://otel.example").unwrap(), ("otel.example".to_owned(), 4318));
        for text in ["/nowhere", "garbage", "127.0.0.1:4318"] {
            assert!(otlp(text).is_err(), "{text}");
        }
    }
}
