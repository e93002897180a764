//! A collector for tests: takes OTLP over HTTP on loopback, and misbehaves as told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{Batch, Identity, Settings, Telemetry};

/// Telemetry of a service called `under-test`, in force nowhere.
pub(crate) fn telemetry(settings: &Settings) -> Telemetry {
    let identity = Identity { service_name: "under-test", service_version: "1.2.3" };
    Telemetry::new(identity, settings, None).unwrap()
}

/// What the collector does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Accept,
    /// Never answers.
    Stall,
    Status(u16),
    /// With `Retry-After`, in seconds.
    Throttle(u16, &'static str),
    /// Accepts the batch but for this many spans.
    Reject(i64),
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<(HeaderMap, ExportTraceServiceRequest)>,
    /// For the next requests, in order; then `usual`.
    script: VecDeque<Behaviour>,
    usual: Option<Behaviour>,
}

#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state, server }
    }

    /// An address where nothing listens.
    pub(crate) async fn nowhere() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().usual = Some(behaviour);
    }

    pub(crate) fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.state.lock().unwrap().script.extend(behaviours);
    }

    /// Exports here; only a full batch or a flush makes one go out.
    pub(crate) fn settings(&self) -> Settings {
        settings(self.address)
    }

    /// Flushes `telemetry`, which must lose nothing.
    pub(crate) async fn flush(&self, telemetry: &Telemetry) {
        let report = telemetry.flush(Duration::from_secs(5)).await;
        assert_eq!(report.error, None);
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        self.state.lock().unwrap().requests.last().unwrap().0.clone()
    }

    pub(crate) fn spans(&self) -> Vec<Received> {
        let state = self.state.lock().unwrap();
        state
            .requests
            .iter()
            .flat_map(|(_, request)| &request.resource_spans)
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| &scope.spans)
            .map(|span| Received(span.clone()))
            .collect()
    }

    /// The only span of this name.
    pub(crate) fn span(&self, name: &str) -> Received {
        let (mut named, others): (Vec<_>, Vec<_>) = self.spans().into_iter().partition(|span| span.name == name);
        let others: Vec<_> = others.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(named.len(), 1, "spans named {name:?}; others are {others:?}");
        named.remove(0)
    }

    pub(crate) fn resource(&self, key: &str) -> Option<String> {
        let state = self.state.lock().unwrap();
        let (_, request) = state.requests.last()?;
        attribute(&request.resource_spans.first()?.resource.as_ref()?.attributes, key)
    }

    /// Waits until `condition` holds, for at most five seconds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !condition(self) {
            assert!(Instant::now() < deadline, "still not so after 5 s: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn settings(address: SocketAddr) -> Settings {
    Settings {
        endpoint: Some(format!("http://{address}/v1/traces")),
        batch: Batch { schedule_delay: Duration::from_mins(10), ..Batch::default() },
        ..Settings::default()
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/v1/traces");
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let export = ExportTraceServiceRequest::decode(body).unwrap();
    let behaviour = {
        let mut state = state.lock().unwrap();
        state.requests.push((head.headers, export));
        let scripted = state.script.pop_front();
        scripted.or(state.usual).unwrap_or(Behaviour::Accept)
    };
    let mut response = Response::builder().header("content-type", "application/x-protobuf");
    let mut answer = ExportTraceServiceResponse::default();
    match behaviour {
        Behaviour::Accept => {}
        Behaviour::Stall => std::future::pending().await,
        Behaviour::Status(status) => response = response.status(status),
        Behaviour::Throttle(status, after) => response = response.status(status).header("retry-after", after),
        Behaviour::Reject(rejected_spans) => {
            let error_message = "too old".to_owned();
            answer.partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
        }
    }
    Ok(response.body(Full::from(answer.encode_to_vec())).unwrap())
}

/// A span as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Received(Span);

impl Deref for Received {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl Received {
    pub(crate) fn trace_id(&self) -> String {
        hex(&self.0.trace_id)
    }

    pub(crate) fn span_id(&self) -> String {
        hex(&self.0.span_id)
    }

    pub(crate) fn parent_span_id(&self) -> String {
        hex(&self.0.parent_span_id)
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.0.kind() {
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            _ => "other",
        }
    }

    pub(crate) fn status(&self) -> (&'static str, String) {
        let status = self.0.status.clone().unwrap_or_default();
        match status.code() {
            StatusCode::Unset => ("unset", status.message),
            StatusCode::Ok => ("ok", status.message),
            StatusCode::Error => ("error", status.message),
        }
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.0.attributes, key)
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(boolean) => Some(boolean.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
