//! Requests served
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#http-server>).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use axum::extract::MatchedPath;
use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::label;
use crate::semconv::METHODS;

/// The bounds that the conventions advise, in seconds, and two below them: most answers here take less than 5 ms.
const BOUNDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Durations = Family<Request, HistogramWithExemplars<Exemplar>>;

/// What is measured of every request.
pub(crate) struct HttpServer {
    durations: Durations,
    active: Family<Active, Gauge>,
    /// The gauges of `active` by method, to find them without hashing.
    gauges: Arc<[OnceLock<Gauge>; METHODS.len()]>,
}

impl HttpServer {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let durations = Durations::new_with_constructor(|| HistogramWithExemplars::new(BOUNDS.into_iter()));
        let active = Family::<Active, Gauge>::default();
        registry.register_with_unit(
            "http_server_request_duration",
            "Time from a request's head to its answer's head",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("http_server_active_requests", "Requests without an answer yet", active.clone());
        Self { durations, active, gauges: Arc::default() }
    }

    pub(crate) fn began(&self, method_index: usize) {
        self.gauge(method_index).inc();
    }

    /// `traced`: the request's span, where it is recorded and so can be looked up.
    pub(crate) fn ended(
        &self,
        method_index: usize,
        route: Option<MatchedPath>,
        outcome: Outcome,
        elapsed: Duration,
        traced: Option<&SpanContext>,
    ) {
        self.gauge(method_index).dec();
        let labels = Request { method: METHODS[method_index], route: route.map(Route), outcome };
        let exemplar = traced.map(Exemplar::of);
        let now = exemplar.is_some().then(SystemTime::now);
        self.durations.get_or_create(&labels).observe(elapsed.as_secs_f64(), exemplar, now);
    }

    fn gauge(&self, method_index: usize) -> &Gauge {
        self.gauges[method_index]
            .get_or_init(|| self.active.get_or_create_owned(&Active { method: METHODS[method_index] }))
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// With an answer of this status code.
    Status(u16),
    /// Without one: `error.type`.
    Unanswered(&'static str),
}

/// Bounded labels: the methods of [`METHODS`], the routes of the router, the status codes in use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Request {
    method: &'static str,
    route: Option<Route>,
    outcome: Outcome,
}

impl EncodeLabelSet for Request {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        Active { method: self.method }.encode(encoder)?;
        if let Some(Route(route)) = &self.route {
            label(encoder, "http_route", route.as_str())?;
        }
        match self.outcome {
            Outcome::Status(status) => label(encoder, "http_response_status_code", u64::from(status)),
            Outcome::Unanswered(error_type) => label(encoder, "error_type", error_type),
        }
    }
}

/// A route's template. A clone of axum's own is cheaper than the text.
#[derive(Clone, Debug)]
struct Route(MatchedPath);

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Active {
    method: &'static str,
}

impl EncodeLabelSet for Active {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        label(encoder, "http_request_method", self.method)?;
        label(encoder, "url_scheme", "http")
    }
}

/// The trace behind one measurement. Written as text by the scrape, not by the request.
#[derive(Clone, Debug)]
struct Exemplar {
    trace_id: TraceId,
    span_id: SpanId,
}

impl Exemplar {
    fn of(span: &SpanContext) -> Self {
        Self { trace_id: span.trace_id(), span_id: span.span_id() }
    }
}

impl EncodeLabelSet for Exemplar {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        label(encoder, "trace_id", self.trace_id.to_string())?;
        label(encoder, "span_id", self.span_id.to_string())
    }
}
