//! What callers see when the relay or the API server's connection goes.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::double::{Double, Forward, job, running};
use super::{echo, soon, web};
use crate::client::Trouble;
use crate::relay::RelayConfig;
use crate::relay::testing::TestRelay;
use crate::tunnel::{DialError, Progress, Tunnel, TunnelError, TunnelOptions, TunnelStream};
use crate::{Cluster, Connector, KubeOptions, Way};

async fn tunnel() -> (Arc<Double>, TestRelay, Tunnel) {
    let (double, relay) = (Double::start().await, TestRelay::start(RelayConfig::default()).await);
    double.has(job("uid-0", None), running("relay-0"));
    double.set(|state| state.forwards = VecDeque::from([Forward::To(relay.address)]));
    let cluster: Cluster = double.cluster().await;
    let tunnel = soon(Tunnel::open(&cluster, double.options())).await.unwrap();
    (double, relay, tunnel)
}

async fn works(stream: &mut TunnelStream) {
    stream.write_all(b"x").await.unwrap();
    assert_eq!(soon(stream.read_u8()).await.unwrap(), b'x');
}

#[tokio::test]
async fn a_lost_connection_resets_open_streams_and_is_made_anew_for_the_next() {
    let (double, _relay, tunnel) = tunnel().await;
    let port = echo().await.port();
    let mut before = soon(tunnel.dial("127.0.0.1", port)).await.unwrap();
    works(&mut before).await;
    double.cut();
    let error = soon(before.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut after = soon(tunnel.dial("127.0.0.1", port)).await.unwrap();
    works(&mut after).await;
    let progress = double.state.lock().unwrap().progress.clone();
    assert!(progress.iter().any(|one| matches!(one, Progress::Reconnecting { .. })), "{progress:?}");
}

#[tokio::test]
async fn a_relay_that_is_gone_is_replaced_by_the_next_dial() {
    let (double, relay, tunnel) = tunnel().await;
    let port = echo().await.port();
    works(&mut soon(tunnel.dial("127.0.0.1", port)).await.unwrap()).await;
    relay.stop();
    soon(relay.ended()).await;
    let next = TestRelay::start(RelayConfig::default()).await;
    double.has(job("uid-0", Some("Complete")), super::double::ended("relay-0", 0, ""));
    double.set(|state| {
        state.forwards =
            VecDeque::from([Forward::Status(404, "pods \"relay-0\" not found"), Forward::To(next.address)]);
    });
    works(&mut soon(tunnel.dial("127.0.0.1", port)).await.unwrap()).await;
    assert_eq!(tunnel.pod().await.as_deref(), Some("relay-1"));
}

#[tokio::test]
async fn a_remembered_pod_without_a_relay_is_forgotten() {
    let (double, relay) = (Double::start().await, TestRelay::start(RelayConfig::default()).await);
    double.has(job("uid-0", None), running("relay-0"));
    let dir = std::env::temp_dir().join(format!("reach-life-{}", std::process::id()));
    let cluster = double.cluster().await;
    let options = || TunnelOptions { cache_dir: Some(dir.clone()), ..double.options() };
    double.set(|state| state.forwards = VecDeque::from([Forward::To(relay.address)]));
    drop(soon(Tunnel::open(&cluster, options())).await.unwrap());
    // The same pod still takes port-forwards, but nobody listens any more; its successor has another name.
    double.set(|state| state.forwards = VecDeque::from([Forward::NobodyListens, Forward::To(relay.address)]));
    double.has(job("uid-0", None), running("relay-1"));
    let tunnel = soon(Tunnel::open(&cluster, options())).await.unwrap();
    works(&mut soon(tunnel.dial("127.0.0.1", echo().await.port())).await.unwrap()).await;
    assert_eq!(tunnel.pod().await.as_deref(), Some("relay-1"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_remembered_pod_on_a_node_that_is_gone_is_replaced_and_not_waited_for() {
    let (double, relay) = (Double::start().await, TestRelay::start(RelayConfig::default()).await);
    double.has(job("uid-0", None), running("relay-0"));
    let dir = std::env::temp_dir().join(format!("reach-gone-{}", std::process::id()));
    let cluster = double.cluster().await;
    let options = || TunnelOptions { cache_dir: Some(dir.clone()), ..double.options() };
    double.set(|state| state.forwards = VecDeque::from([Forward::To(relay.address)]));
    drop(soon(Tunnel::open(&cluster, options())).await.unwrap());
    // The cluster still says that it runs: once when it is remembered, once when it is found.
    double.set(|state| state.forwards = VecDeque::from([Forward::Silent, Forward::Silent, Forward::To(relay.address)]));
    let tunnel = soon(Tunnel::open(&cluster, options())).await.unwrap();
    works(&mut soon(tunnel.dial("127.0.0.1", echo().await.port())).await.unwrap()).await;
    assert_eq!(tunnel.pod().await.as_deref(), Some("relay-1"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn after_cancellation_no_connection_is_made_any_more() {
    let (double, relay) = (Double::start().await, TestRelay::start(RelayConfig::default()).await);
    double.has(job("uid-0", None), running("relay-0"));
    double.set(|state| state.forwards = VecDeque::from([Forward::To(relay.address)]));
    let (cluster, options) = (double.cluster().await, double.options());
    let cancel = options.cancel.clone();
    let tunnel = soon(Tunnel::open(&cluster, options)).await.unwrap();
    works(&mut soon(tunnel.dial("127.0.0.1", echo().await.port())).await.unwrap()).await;
    double.cut();
    cancel.cancel();
    let error = loop {
        // Until the cut has been noticed the connection is still there.
        if let Err(error) = soon(tunnel.dial("127.0.0.1", 1)).await
            && !matches!(error, DialError::Refused { .. })
        {
            break error;
        }
    };
    assert!(matches!(error, DialError::Tunnel(TunnelError::Cancelled)), "{error:?}");
}

#[tokio::test]
async fn callers_that_come_together_share_one_connection() {
    let (double, _relay, tunnel) = tunnel().await;
    double.cut();
    let port = echo().await.port();
    let dials = (0..20).map(|_| tunnel.dial("127.0.0.1", port));
    let streams = soon(futures::future::try_join_all(dials)).await.unwrap();
    assert_eq!(streams.len(), 20);
    let forwards = double.seen().iter().filter(|seen| seen.ends_with("/portforward")).count();
    assert!((2..=3).contains(&forwards), "{forwards} port-forwards");
}

#[tokio::test]
async fn a_http_client_calls_through_the_tunnel_and_sees_the_dialled_address() {
    let (_double, _relay, tunnel) = tunnel().await;
    let to = web("Hello, World!").await;
    let connector = Connector::relay(tunnel);
    assert_eq!(connector.way(), Way::Relay);
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let answer = soon(client.get(format!("http://127.0.0.1:{}/", to.port()).parse().unwrap())).await.unwrap();
    assert_eq!(answer.extensions().get::<std::net::SocketAddr>(), Some(&to));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "Hello, World!");
}

#[tokio::test]
async fn a_failed_dial_is_found_in_the_clients_error() {
    let (_double, _relay, tunnel) = tunnel().await;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(Connector::relay(tunnel));
    let error = soon(client.get("http://169.254.169.254/".parse().unwrap())).await.unwrap_err();
    assert!(matches!(DialError::find(&error), Some(DialError::Prohibited { .. })), "{error:?}");
    let error = soon(client.get("https://service-b/".parse().unwrap())).await.unwrap_err();
    assert!(matches!(DialError::find(&error), Some(DialError::BadTarget { .. })), "{error:?}");
}

#[tokio::test]
async fn a_http_client_calls_without_a_detour() {
    let to = web("Hello, World!").await;
    let connector = Connector::direct(Duration::from_secs(5));
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let answer = soon(client.get(format!("http://{to}/").parse().unwrap())).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "Hello, World!");
}

/// A cluster whose API server is whatever listens on a port of this machine.
async fn cluster_on(port: u16) -> Cluster {
    let file = std::env::temp_dir().join(format!("reach-life-{}-{port}", std::process::id()));
    let text = format!(
        "{{current-context: c, clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{port}', \
         insecure-skip-tls-verify: true}}}}], contexts: [{{name: c, context: {{cluster: c}}}}]}}"
    );
    std::fs::write(&file, text).unwrap();
    let options = KubeOptions {
        kubeconfig: Some(file.clone()),
        connect_timeout: Some(Duration::from_millis(200)),
        ..KubeOptions::default()
    };
    let cluster = crate::connect(&options).await.unwrap();
    std::fs::remove_file(file).unwrap();
    cluster
}

async fn open_on(port: u16) -> TunnelError {
    let options = TunnelOptions { cache_dir: None, ..TunnelOptions::new("demo", "image:1") };
    soon(Tunnel::open(&cluster_on(port).await, options)).await.unwrap_err()
}

#[tokio::test]
async fn an_api_server_that_is_not_there_is_told_with_its_url() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = open_on(port).await;
    assert_eq!(error.trouble(), Trouble::Unreachable);
    let expected = format!(
        "cannot list pods in demo: the API server https://127.0.0.1:{port} is not reachable: Connection refused"
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn an_api_server_that_accepts_but_never_speaks_is_not_reachable_either() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = open_on(mute.local_addr().unwrap().port()).await;
    assert_eq!(error.trouble(), Trouble::Unreachable);
    assert!(error.to_string().ends_with("is not reachable: no connection in time"), "{error}");
}
