//! What all services of a project share: the name proxy, and the receiver of spans.

use std::sync::Arc;

use ::local::names::{Names, Route};
use ::local::{Net, Telemetry, proxy};
use http::Uri;
use spans::{Limits, Stats, Store};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, ExitCode};

/// Where services and msctl find whoever keeps traces.
const JAEGER: &str = "jaeger";
const OTLP_PORT: u16 = 4318;
const QUERY_PORT: u16 = 16686;

/// Listening as long as it is there.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) net: Net,
    pub(super) telemetry: Telemetry,
    store: Arc<Store>,
    _proxy: AbortOnDropHandle<()>,
    _receiver: AbortOnDropHandle<()>,
    _stop: DropGuard,
}

impl Shared {
    pub(super) async fn start(namespace: &str) -> Result<Self, Error> {
        let failed =
            |cause: std::io::Error| Error::new(ExitCode::Failed, "cannot listen on 127.0.0.1").why(cause.to_string());
        let proxy_listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let receiver_listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let proxy = proxy_listener.local_addr().map_err(failed)?;
        let receiver = receiver_listener.local_addr().map_err(failed)?;

        let names = Names::new(namespace);
        let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok().filter(|endpoint| !endpoint.is_empty());
        let other = endpoint.as_deref().map(collector).transpose()?;
        let telemetry = if let (Some((host, port)), Some(endpoint)) = (other, endpoint) {
            names.host(JAEGER, OTLP_PORT, Route::Host(host.clone(), port));
            let (host, port) = query()?.unwrap_or((host, QUERY_PORT));
            names.host(JAEGER, QUERY_PORT, Route::Host(host, port));
            Telemetry { endpoint }
        } else {
            names.host(JAEGER, OTLP_PORT, receiver);
            names.host(JAEGER, QUERY_PORT, receiver);
            Telemetry { endpoint: format!("http://{receiver}") }
        };

        let store = Arc::new(Store::new(Limits::default()));
        let stop = CancellationToken::new();
        let (kept, stopping) = (store.clone(), stop.clone());
        let receiver = tokio::spawn(async move {
            // It fails only where the system has no thread for it; then spans are refused, and services go on.
            let _ = spans::serve(receiver_listener, kept, stopping).await;
        });
        Ok(Self {
            net: Net { names: names.clone(), proxy },
            telemetry,
            store,
            _proxy: AbortOnDropHandle::new(tokio::spawn(proxy::serve(proxy_listener, names))),
            _receiver: AbortOnDropHandle::new(receiver),
            _stop: stop.drop_guard(),
        })
    }

    pub(super) fn stats(&self) -> Stats {
        self.store.stats()
    }
}

/// Where the environment of `up` says that traces are read.
fn query() -> Result<Option<(String, u16)>, Error> {
    let named = std::env::var("MSCTL_JAEGER").ok().filter(|named| !named.is_empty());
    named.map(|named| crate::collector::place(&named).map(|asked| asked.query())).transpose()
}

/// Host and port of a collector that the environment of `up` names.
fn collector(endpoint: &str) -> Result<(String, u16), Error> {
    let uri = endpoint.parse::<Uri>().ok();
    let place = uri.as_ref().and_then(|uri| Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(OTLP_PORT))));
    place.ok_or_else(|| {
        Error::usage(format!("OTEL_EXPORTER_OTLP_ENDPOINT: `{endpoint}` is no address"))
            .next("http://HOST:4318, or unset it: msctl up receives spans itself")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_of_the_environment_is_a_host_and_a_port() {
        assert_eq!(collector("http://127.0.0.1:4318").unwrap(), ("127.0.0.1".to_owned(), 4318));
        assert_eq!(collector("https://otel.example").unwrap(), ("otel.example".to_owned(), 4318));
        assert!(collector("/nowhere").is_err());
    }
}
