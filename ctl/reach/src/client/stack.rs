//! The layers of the client: kube's own where it has them, with our connector below.
//!
//! kube's default connector leaves Nagle's algorithm on, which costs a factor of three in new connections through a
//! port-forward, and retries for minutes.

use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::middleware::AuthLayer;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ConfigExt};
use tower::retry::RetryLayer;
use tower::timeout::Timeout;
use tower::{BoxError, Service, ServiceBuilder};

use super::deadline::DeadlineLayer;
use super::kubeconfig::Target;
use super::{ConnectError, KubeOptions};
use crate::error_chain::root_cause;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that vanished is noticed after about this long, also on a silent watch or port-forward.
const KEEPALIVE: Duration = Duration::from_secs(15);
const USER_TIMEOUT: Duration = Duration::from_secs(45);

pub(super) async fn build(target: &Target, options: &KubeOptions) -> Result<kube::Client, ConnectError> {
    let (config, auth) = credentials(target).await?;
    let limits = Limits {
        request: options.request_timeout.unwrap_or(REQUEST_TIMEOUT),
        connect: options.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
    };
    let tcp = tcp_connector(limits.connect);
    match proxy(target) {
        None => finish(&config, auth, limits, tcp),
        Some(proxy) => through_proxy(&config, auth, limits, &proxy, tcp),
    }
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    request: Duration,
    connect: Duration,
}

/// Runs the credential plugin, if any, off the runtime. kube runs it once for the header and once more for a client
/// certificate; the second run is spared when the first gave a token.
async fn credentials(target: &Target) -> Result<(kube::Config, Option<AuthLayer>), ConnectError> {
    let mut config = target.config.clone();
    let denied =
        |cause: String| ConnectError::Credentials { context: target.context.clone(), user: target.user.clone(), cause };
    let plugin = config.auth_info.exec.is_some() || config.auth_info.auth_provider.is_some();
    let auth = if plugin {
        let config = config.clone();
        tokio::task::spawn_blocking(move || config.auth_layer()).await.map_err(|error| denied(error.to_string()))?
    } else {
        config.auth_layer()
    };
    let auth = auth.map_err(|error| denied(root_cause(&error)))?;
    if auth.is_some() {
        config.auth_info.exec = None;
        config.auth_info.auth_provider = None;
    }
    Ok((config, auth))
}

fn tcp_connector(connect_timeout: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(3));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    tcp.set_tcp_user_timeout(Some(USER_TIMEOUT));
    tcp
}

fn proxy(target: &Target) -> Option<Intercept> {
    let server = &target.config.cluster_url;
    match &target.proxy_url {
        Some(url) => Matcher::builder().all(url.clone()).build().intercept(server),
        None => Matcher::from_env().intercept(server),
    }
}

fn through_proxy(
    config: &kube::Config,
    auth: Option<AuthLayer>,
    limits: Limits,
    proxy: &Intercept,
    tcp: HttpConnector,
) -> Result<kube::Client, ConnectError> {
    let uri = proxy.uri().clone();
    match uri.scheme_str() {
        Some("http") => {
            let tunnel = Tunnel::new(uri, tcp);
            let tunnel = match proxy.basic_auth() {
                Some(credentials) => tunnel.with_auth(credentials.clone()),
                None => tunnel,
            };
            finish(config, auth, limits, tunnel)
        }
        Some("socks5" | "socks5h") => {
            let socks = SocksV5::new(uri.clone(), tcp).local_dns(uri.scheme_str() == Some("socks5"));
            let socks = match proxy.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            finish(config, auth, limits, socks)
        }
        _ => Err(ConnectError::Proxy {
            server: config.cluster_url.to_string(),
            proxy: uri.to_string(),
            cause: "only http://, socks5:// and socks5h:// proxies are supported".to_owned(),
        }),
    }
}

fn finish<C>(
    config: &kube::Config,
    auth: Option<AuthLayer>,
    limits: Limits,
    connector: C,
) -> Result<kube::Client, ConnectError>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let tls_error =
        |error: kube::Error| ConnectError::Tls { server: config.cluster_url.to_string(), cause: root_cause(&error) };
    let https = config.rustls_https_connector_with_connector(connector).map_err(tls_error)?;
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build::<_, Body>(ServiceBuilder::new().map_future(Box::pin).service(Timeout::new(https, limits.connect)));
    let retry = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(2), 3, true).unwrap_or_default();
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer(limits.request))
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(retry))
        .option_layer(auth)
        .layer(config.extra_headers_layer().map_err(tls_error)?)
        .map_err(BoxError::from)
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}
