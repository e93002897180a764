use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderMap, Request, Response, StatusCode};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tower::ServiceExt;

use super::*;
use crate::double::{Collector, telemetry};
use crate::{Sampler, Settings, current_trace_id, propagation};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "service-a:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// What a handler would send on.
async fn onward() -> String {
    let mut headers = HeaderMap::new();
    propagation::inject_current(&mut headers);
    headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

fn router(telemetry: &Telemetry) -> Router {
    Router::new()
        .route("/items/{id}", get(onward))
        .route("/broken", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/work", post(|| async { tracing::info_span!("work").in_scope(|| current_trace_id().unwrap()) }))
        .layer(layer(telemetry))
}

async fn body(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_sampled_request_is_a_server_span_under_its_caller() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    let app = router(&telemetry);

    let answer = app
        .oneshot(request("GET", "/items/7?secret=1", &[("traceparent", SAMPLED), ("user-agent", "curl/8")]))
        .await
        .unwrap();
    let onward = body(answer).await;
    collector.flush(&telemetry).await;

    let span = collector.span("GET /items/{id}");
    assert_eq!(span.kind(), "server");
    assert_eq!(span.trace_id(), TRACE);
    assert_eq!(span.parent_span_id(), "00f067aa0ba902b7");
    assert_eq!(onward, format!("00-{TRACE}-{}-01", span.span_id()));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/items/{id}"),
        ("url.path", "/items/7"),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("server.address", "service-a"),
        ("server.port", "8000"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "curl/8"),
    ] {
        assert_eq!(span.attribute(key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(span.status().0, "unset");
    assert_eq!(collector.resource("service.name").as_deref(), Some("under-test"));
}

#[tokio::test]
async fn an_unsampled_request_hands_its_trace_on_unsampled_and_exports_nothing() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());

    let answer = router(&telemetry).oneshot(request("GET", "/items/7", &[("traceparent", UNSAMPLED)])).await;
    let onward = body(answer.unwrap()).await;
    collector.flush(&telemetry).await;

    assert!(onward.starts_with(&format!("00-{TRACE}-")) && onward.ends_with("-00"), "{onward}");
    assert_ne!(onward, UNSAMPLED, "the hop has a span id of its own");
    assert_eq!(collector.spans(), []);
}

#[tokio::test]
async fn without_a_collector_the_callers_context_is_passed_on_as_it_is() {
    let telemetry = telemetry(&Settings::default());
    let app = router(&telemetry);

    let passed = app.clone().oneshot(request("GET", "/items/7", &[("traceparent", SAMPLED)])).await.unwrap();
    assert_eq!(body(passed).await, SAMPLED);
    let made = app.oneshot(request("GET", "/items/7", &[])).await.unwrap();
    assert!(body(made).await.ends_with("-00"), "a request without a trace gets one for its log lines");
}

#[tokio::test]
async fn a_disabled_sdk_passes_contexts_on_and_makes_none() {
    let telemetry = telemetry(&Settings { tracing: false, ..Settings::default() });
    let app = router(&telemetry);

    let passed = app.clone().oneshot(request("GET", "/items/7", &[("traceparent", SAMPLED)])).await.unwrap();
    assert_eq!(body(passed).await, SAMPLED);
    assert_eq!(body(app.oneshot(request("GET", "/items/7", &[])).await.unwrap()).await, "");
}

#[tokio::test]
async fn a_tracing_span_in_a_handler_is_a_child_of_the_request() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    let _entered = telemetry.enter();

    let answer = router(&telemetry).oneshot(request("POST", "/work", &[])).await.unwrap();
    let trace_id = body(answer).await;
    collector.flush(&telemetry).await;

    let (request, work) = (collector.span("POST /work"), collector.span("work"));
    assert_eq!(work.parent_span_id, request.span_id);
    assert_eq!(request.trace_id(), trace_id);
}

#[tokio::test]
async fn an_error_of_the_server_is_an_error_of_the_span_and_one_of_the_caller_is_not() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    let app = router(&telemetry);

    for path in ["/broken", "/nowhere"] {
        app.clone().oneshot(request("GET", path, &[])).await.unwrap();
    }
    collector.flush(&telemetry).await;

    let broken = collector.span("GET /broken");
    assert_eq!(broken.status().0, "error");
    assert_eq!(broken.attribute("error.type").as_deref(), Some("503"));
    let nowhere = collector.span("GET");
    assert_eq!(nowhere.status().0, "unset");
    assert_eq!(nowhere.attribute("http.response.status_code").as_deref(), Some("404"));
    assert_eq!(nowhere.attribute("http.route"), None);
}

#[tokio::test]
async fn a_request_that_is_dropped_before_its_answer_ends_as_cancelled() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    let app =
        Router::new().route("/stuck", get(std::future::pending::<Result<String, Infallible>>)).layer(layer(&telemetry));

    let stuck = app.oneshot(request("GET", "/stuck", &[]));
    tokio::time::timeout(Duration::from_millis(10), stuck).await.expect_err("the handler never answers");
    collector.flush(&telemetry).await;

    let span = collector.span("GET /stuck");
    assert_eq!(span.attribute("error.type").as_deref(), Some("cancelled"));
    let metrics = telemetry.metrics().render();
    assert!(metrics.contains(r#"http_server_active_requests{http_request_method="GET",url_scheme="http"} 0"#));
    assert!(metrics.contains(r#"error_type="cancelled""#), "{metrics}");
}

#[tokio::test]
async fn a_method_nobody_knows_is_other() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());

    router(&telemetry).oneshot(request("BREW", "/items/7", &[])).await.unwrap();
    collector.flush(&telemetry).await;

    let span = collector.span("HTTP /items/{id}");
    assert_eq!(span.attribute("http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(span.attribute("http.request.method_original").as_deref(), Some("BREW"));
    assert!(telemetry.metrics().render().contains(r#"http_request_method="_OTHER""#));
}

#[tokio::test]
async fn requests_are_measured_with_an_exemplar_only_where_there_is_a_trace_to_look_at() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&Settings { sampler: Sampler::ParentBasedAlwaysOff, ..collector.settings() });
    let app = router(&telemetry);

    for parent in [UNSAMPLED, UNSAMPLED, SAMPLED] {
        app.clone().oneshot(request("GET", "/items/7", &[("traceparent", parent)])).await.unwrap();
    }

    let metrics = telemetry.metrics().render();
    let series =
        r#"{http_request_method="GET",url_scheme="http",http_route="/items/{id}",http_response_status_code="200"}"#;
    assert!(metrics.contains(&format!("http_server_request_duration_seconds_count{series} 3")), "{metrics}");
    assert_eq!(metrics.matches("# {trace_id=").count(), 1, "{metrics}");
    assert!(metrics.contains(&format!("# {{trace_id=\"{TRACE}\"")), "{metrics}");
}

#[tokio::test]
async fn what_a_caller_sends_is_cut_to_what_a_span_may_hold() {
    let collector = Collector::start().await;
    let telemetry = telemetry(&collector.settings());
    let long = format!("/{}", "a".repeat(4000));

    router(&telemetry).oneshot(request("GET", &long, &[("user-agent", &long)])).await.unwrap();
    collector.flush(&telemetry).await;

    let span = collector.span("GET");
    for key in ["url.path", "user_agent.original"] {
        assert_eq!(span.attribute(key).as_deref(), Some(&long[..1024]), "{key}");
    }
}

#[tokio::test]
async fn a_handler_on_a_context_of_its_own_is_left_alone() {
    let telemetry = telemetry(&Settings::default());
    let before = Context::current().span().span_context().clone();
    router(&telemetry).oneshot(request("GET", "/items/7", &[("traceparent", SAMPLED)])).await.unwrap();
    assert_eq!(Context::current().span().span_context(), &before, "the request's context is gone with the request");
}
