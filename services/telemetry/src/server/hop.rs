//! One request, from its head to the answer's head.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath};
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{
    CLIENT_ADDRESS, HTTP_ROUTE, NETWORK_PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, URL_PATH, URL_SCHEME,
    USER_AGENT_ORIGINAL,
};

use crate::Telemetry;
use crate::metrics::Outcome;
use crate::propagation;
use crate::semconv::{bounded, method_index, protocol_version, push_method, record_error, record_status, span_name};
use crate::span::Started;

/// As many attributes as [`attributes`] and the answer can add, so that the list is allocated once.
const ATTRIBUTES: usize = 12;

#[derive(Debug)]
pub(super) struct Hop {
    telemetry: Telemetry,
    span: Started,
    method_index: usize,
    route: Option<MatchedPath>,
    started: Instant,
    finished: bool,
}

impl Hop {
    pub(super) fn start<B>(telemetry: &Telemetry, request: &Request<B>) -> Self {
        let method_index = method_index(request.method());
        let route = request.extensions().get::<MatchedPath>();
        let parent = propagation::extract(request.headers());
        let span = telemetry.spans().start(&parent, || {
            let template = route.map(MatchedPath::as_str);
            SpanBuilder {
                span_kind: Some(SpanKind::Server),
                name: span_name(method_index, template),
                attributes: Some(attributes(request, method_index, template)),
                ..SpanBuilder::default()
            }
        });
        telemetry.metrics().http().began(method_index);
        Self {
            telemetry: telemetry.clone(),
            span,
            method_index,
            route: route.cloned(),
            started: Instant::now(),
            finished: false,
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.span.context
    }

    /// Only the server's own failures are errors of its span; a 404 is the caller's.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if self.span.recorded {
            record_status(&self.span.context.span(), status, status.is_server_error());
        }
        self.finish(Outcome::Status(status.as_u16()));
    }

    pub(super) fn unanswered(&mut self, error_type: &'static str) {
        if self.span.recorded {
            record_error(&self.span.context.span(), error_type, "the request ended without an answer");
        }
        self.finish(Outcome::Unanswered(error_type));
    }

    fn finish(&mut self, outcome: Outcome) {
        if self.finished {
            return;
        }
        self.finished = true;
        let elapsed = self.started.elapsed();
        let span = self.span.context.span();
        let exemplar = self.span.recorded.then(|| span.span_context());
        let route = self.route.take();
        self.telemetry.metrics().http().ended(self.method_index, route, outcome, elapsed, exemplar);
        span.end();
        self.span.recorded = false;
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        if !self.finished {
            self.unanswered("cancelled");
        }
    }
}

fn attributes<B>(request: &Request<B>, method_index: usize, template: Option<&str>) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(ATTRIBUTES);
    push_method(&mut attributes, request.method(), method_index);
    if let Some(template) = template {
        attributes.push(KeyValue::new(HTTP_ROUTE, template.to_owned()));
    }
    // The query is left out: it may carry what must not be stored.
    attributes.push(KeyValue::new(URL_PATH, bounded(request.uri().path())));
    attributes.push(KeyValue::new(URL_SCHEME, "http"));
    attributes.push(KeyValue::new(NETWORK_PROTOCOL_VERSION, protocol_version(request.version())));
    push_server(&mut attributes, request.headers());
    if let Some(agent) = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
        attributes.push(KeyValue::new(USER_AGENT_ORIGINAL, bounded(agent)));
    }
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        attributes.push(KeyValue::new(CLIENT_ADDRESS, peer.ip().to_string()));
    }
    attributes
}

/// `server.address` and `server.port`: what the caller thinks it called.
fn push_server(attributes: &mut Vec<KeyValue>, headers: &HeaderMap) {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return;
    };
    let (address, port) = split_host(host);
    attributes.push(KeyValue::new(SERVER_ADDRESS, bounded(address)));
    if let Some(port) = port {
        attributes.push(KeyValue::new(SERVER_PORT, i64::from(port)));
    }
}

/// `name:port`, `1.2.3.4:port`, `[::1]:port`, each with or without the port. An IPv6 address loses its brackets.
fn split_host(host: &str) -> (&str, Option<u16>) {
    let (address, port) = match host.rsplit_once(':') {
        Some((address, port)) if !port.ends_with(']') => (address, port.parse().ok()),
        _ => (host, None),
    };
    (address.trim_start_matches('[').trim_end_matches(']'), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_split_into_address_and_port() {
        assert_eq!(split_host("service-a"), ("service-a", None));
        assert_eq!(split_host("service-a:8000"), ("service-a", Some(8000)));
        assert_eq!(split_host("10.0.0.7:80"), ("10.0.0.7", Some(80)));
        assert_eq!(split_host("[::1]:8000"), ("::1", Some(8000)));
        assert_eq!(split_host("[::1]"), ("::1", None));
    }
}
