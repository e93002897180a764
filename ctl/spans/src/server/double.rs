//! A receiver and its clients, for the tests of this module.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Config, serve_with};
use crate::Store;

/// Longer than anything takes on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

pub(super) struct Receiver {
    pub(super) store: Arc<Store>,
    pub(super) address: String,
    pub(super) stop: CancellationToken,
    pub(super) served: JoinHandle<std::io::Result<()>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        Self::with(Config::default(), Store::default()).await
    }

    pub(super) async fn with(config: Config, store: Store) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (store, stop) = (Arc::new(store), CancellationToken::new());
        let served = tokio::spawn(serve_with(config, listener, store.clone(), stop.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { store, address, stop, served, client }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    pub(super) async fn send(&self, request: http::request::Builder, path: &str, body: impl Into<Bytes>) -> Answered {
        let request = request.uri(format!("http://{}{path}", self.address)).body(Full::new(body.into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn post(&self, content_type: &str, body: impl Into<Bytes>) -> Answered {
        self.send(Request::post("/").header("content-type", content_type), "/v1/traces", body).await
    }

    pub(super) async fn post_json(&self, body: &Value) {
        let answered = self.post("application/json", body.to_string()).await;
        assert_eq!((answered.status, &answered.body[..]), (StatusCode::OK, &b"{}"[..]));
    }

    pub(super) async fn get(&self, path: &str) -> Answered {
        self.send(Request::get("/"), path, "").await
    }
}

impl Answered {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(super) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

pub(super) fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

pub(super) fn request(service: &str, spans: &Value) -> Value {
    let attributes = json!([
        text("service.name", service),
        text("k8s.pod.name", "service-a-6b7f-x2x4z"),
        text("k8s.node.name", "node-1"),
        text("k8s.namespace.name", "demo"),
        text("service.version", "0.1.0")
    ]);
    json!({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}]})
}

pub(super) fn statement() -> Value {
    json!({
        "traceId": TRACE, "spanId": "00f067aa0ba902b7", "parentSpanId": "0000000000000002",
        "name": "INSERT messages", "kind": 3,
        "startTimeUnixNano": "1763832000000123456", "endTimeUnixNano": "1763832000004023456",
        "attributes": [
            text("db.system.name", "postgresql"),
            text("db.operation.name", "INSERT"),
            text("db.collection.name", "messages")
        ],
        "links": [{"traceId": "00000000000000000000000000000b47", "spanId": "0000000000000009"}]
    })
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}
