//! The client's side of a hop: one CLIENT span an attempt, and the headers that carry it on.

use std::error::Error;
use std::net::SocketAddr;

use http::uri::Scheme;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use opentelemetry::trace::{FutureExt, SpanBuilder, SpanKind, TraceContextExt, WithContext};
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{
    HTTP_REQUEST_RESEND_COUNT, NETWORK_PEER_ADDRESS, NETWORK_PEER_PORT, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS,
    SERVER_PORT, URL_FULL, URL_TEMPLATE,
};

use crate::causes::causes;
use crate::semconv::{method_index, protocol_version, push_method, record_error, record_status, span_name};
use crate::span::Started;
use crate::{current, propagation};

/// One attempt at an outgoing request.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The absolute URL.
    pub uri: &'a Uri,
    /// The callee's route, as in `/messages/{id}`, where the caller knows it: it becomes part of the span's name.
    pub template: Option<&'a str>,
    /// How many attempts came before this one.
    pub resend_count: u32,
}

/// The span of one attempt. Dropped without [`ClientSpan::answered`] or [`ClientSpan::failed`], it ends as cancelled.
#[derive(Debug)]
#[must_use = "the span ends as cancelled when this is dropped"]
pub struct ClientSpan {
    span: Started,
    finished: bool,
}

impl ClientSpan {
    /// Starts the span under the current context. Where that is not sampled, nothing is recorded.
    pub fn start(hop: &Hop<'_>) -> Self {
        let parent = Context::current();
        let started =
            current::with(|telemetry| telemetry.map(|telemetry| telemetry.spans().start(&parent, || build(hop))));
        Self { span: started.unwrap_or(Started { context: parent, recorded: false }), finished: false }
    }

    /// Writes the span's context into the attempt's `headers`.
    pub fn inject(&self, headers: &mut HeaderMap) {
        propagation::inject(&self.span.context, headers);
    }

    /// `future` with the span as the current one: spans and log lines inside belong to it.
    pub fn run<F: Future>(&self, future: F) -> WithContext<F> {
        future.with_context(self.span.context.clone())
    }

    /// The context that holds the span.
    pub fn context(&self) -> &Context {
        &self.span.context
    }

    /// The address that was connected to.
    pub fn peer(&self, address: SocketAddr) {
        if self.span.recorded {
            self.span.context.span().set_attributes([
                KeyValue::new(NETWORK_PEER_ADDRESS, address.ip().to_string()),
                KeyValue::new(NETWORK_PEER_PORT, i64::from(address.port())),
            ]);
        }
    }

    /// Ends the span with the answer's head. To a client every 4xx and 5xx is an error.
    pub fn answered(mut self, status: StatusCode, version: Version) {
        self.finished = true;
        if self.span.recorded {
            let span = self.span.context.span();
            span.set_attribute(KeyValue::new(NETWORK_PROTOCOL_VERSION, protocol_version(version)));
            record_status(&span, status, status.is_client_error() || status.is_server_error());
        }
    }

    /// Ends the span without an answer: `error_type` is a name from a small set, as in `connect` or `timeout`.
    pub fn failed(mut self, error_type: &'static str, error: &dyn Error) {
        self.finished = true;
        if self.span.recorded {
            record_error(&self.span.context.span(), error_type, causes(error));
        }
    }
}

impl Drop for ClientSpan {
    fn drop(&mut self) {
        if !self.finished && self.span.recorded {
            record_error(&self.span.context.span(), "cancelled", "the request was given up");
        }
    }
}

fn build(hop: &Hop<'_>) -> SpanBuilder {
    let method_index = method_index(hop.method);
    let mut attributes = Vec::with_capacity(12);
    push_method(&mut attributes, hop.method, method_index);
    attributes.push(KeyValue::new(URL_FULL, full_url(hop.uri)));
    if let Some(host) = hop.uri.host() {
        attributes.push(KeyValue::new(SERVER_ADDRESS, host.trim_matches(['[', ']']).to_owned()));
    }
    if let Some(port) = port(hop.uri) {
        attributes.push(KeyValue::new(SERVER_PORT, i64::from(port)));
    }
    if let Some(template) = hop.template {
        attributes.push(KeyValue::new(URL_TEMPLATE, template.to_owned()));
    }
    if hop.resend_count > 0 {
        attributes.push(KeyValue::new(HTTP_REQUEST_RESEND_COUNT, i64::from(hop.resend_count)));
    }
    SpanBuilder {
        span_kind: Some(SpanKind::Client),
        name: span_name(method_index, hop.template),
        attributes: Some(attributes),
        ..SpanBuilder::default()
    }
}

/// Without credentials, query and fragment: a trace is read by more people than a request is.
fn full_url(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    [scheme, "://", host, uri.path()].concat()
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or_else(|| match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => Some(80),
        Some(scheme) if *scheme == Scheme::HTTPS => Some(443),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double::{Collector, telemetry};
    use crate::span;

    fn hop<'a>(method: &'a Method, uri: &'a Uri) -> Hop<'a> {
        Hop { method, uri, template: None, resend_count: 0 }
    }

    #[tokio::test]
    async fn a_call_is_a_client_span_whose_context_the_callee_gets() {
        let collector = Collector::start().await;
        let telemetry = telemetry(&collector.settings());
        let _entered = telemetry.enter();
        let uri = Uri::from_static("http://user:secret@service-b:8001/stats?key=1");
        let mut headers = HeaderMap::new();

        let root = span::start("root", SpanKind::Internal, Vec::new());
        root.run(async {
            let call =
                ClientSpan::start(&Hop { method: &Method::GET, uri: &uri, template: Some("/stats"), resend_count: 2 });
            call.inject(&mut headers);
            call.peer("10.0.0.7:8001".parse().unwrap());
            call.answered(StatusCode::OK, Version::HTTP_11);
        })
        .await;
        drop(root);
        collector.flush(&telemetry).await;

        let call = collector.span("GET /stats");
        assert_eq!(call.kind(), "client");
        assert_eq!(call.parent_span_id, collector.span("root").span_id);
        assert_eq!(headers["traceparent"], format!("00-{}-{}-01", call.trace_id(), call.span_id()));
        for (key, value) in [
            ("http.request.method", "GET"),
            ("url.full", "http://service-b:8001/stats"),
            ("server.address", "service-b"),
            ("server.port", "8001"),
            ("network.peer.address", "10.0.0.7"),
            ("network.peer.port", "8001"),
            ("network.protocol.version", "1.1"),
            ("http.request.resend_count", "2"),
            ("http.response.status_code", "200"),
        ] {
            assert_eq!(call.attribute(key).as_deref(), Some(value), "{key}");
        }
        assert_eq!(call.status().0, "unset");
    }

    #[tokio::test]
    async fn an_error_answer_a_failure_and_a_call_given_up_are_errors() {
        let collector = Collector::start().await;
        let telemetry = telemetry(&collector.settings());
        let _entered = telemetry.enter();
        let uri = Uri::from_static("http://service-b:8001/");

        ClientSpan::start(&hop(&Method::GET, &uri)).answered(StatusCode::NOT_FOUND, Version::HTTP_11);
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        ClientSpan::start(&hop(&Method::PUT, &uri)).failed("connect", &refused);
        drop(ClientSpan::start(&hop(&Method::POST, &uri)));
        collector.flush(&telemetry).await;

        for (name, error_type) in [("GET", "404"), ("PUT", "connect"), ("POST", "cancelled")] {
            let call = collector.span(name);
            assert_eq!(call.status().0, "error", "{name}");
            assert_eq!(call.attribute("error.type").as_deref(), Some(error_type));
        }
        assert!(collector.span("PUT").status().1.contains("refused"));
    }

    #[test]
    fn without_telemetry_a_call_carries_nothing_and_works() {
        let uri = Uri::from_static("http://service-b:8001/");
        let mut headers = HeaderMap::new();
        let call = ClientSpan::start(&hop(&Method::GET, &uri));
        call.inject(&mut headers);
        call.answered(StatusCode::OK, Version::HTTP_11);
        assert!(headers.is_empty());
    }
}
