//! The services' own exporter against the receiver: what it sends is there, whole, and as Jaeger would answer it.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use spans::{Limits, Store};
use telemetry::{Identity, KeyValue, Sampler, Settings, SpanKind, Telemetry, span, traces_endpoint};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

async fn receiver(limits: Limits) -> (Arc<Store>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let store = Arc::new(Store::new(limits));
    tokio::spawn(spans::serve(listener, store.clone(), CancellationToken::new()));
    (store, address)
}

fn exporter(address: &str) -> Telemetry {
    let identity = Identity { service_name: "service-a", service_version: "0.1.0" };
    let settings = Settings {
        endpoint: Some(traces_endpoint(&format!("http://{address}"))),
        resource: vec![("k8s.pod.name".to_owned(), "service-a-1-x7k2f".to_owned())],
        sampler: Sampler::AlwaysOn,
        ..Settings::default()
    };
    Telemetry::new(identity, &settings, None).unwrap()
}

async fn get(address: &str, path: &str) -> Value {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let request = Request::get(format!("http://{address}{path}")).body(Empty::new()).unwrap();
    let body = client.request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

fn tags(of: &Value) -> Vec<(&str, &Value)> {
    of["tags"].as_array().unwrap().iter().map(|tag| (tag["key"].as_str().unwrap(), &tag["value"])).collect()
}

#[tokio::test]
async fn what_the_services_export_is_answered_as_a_whole_trace() {
    let (store, address) = receiver(Limits::default()).await;
    let telemetry = exporter(&address);
    let id = {
        let _entered = telemetry.enter();
        let root = span::start("call", SpanKind::Internal, vec![KeyValue::new("url.path", "/messages")]);
        let id = root.trace_id().unwrap();
        root.run(async {
            let statement = span::start("INSERT messages", SpanKind::Client, vec![KeyValue::new("rows", 3_i64)]);
            let other = span::start("BEGIN", SpanKind::Internal, Vec::new());
            statement.link(other.link_target().unwrap());
            statement.fail("timeout", "no answer");
        })
        .await;
        id
    };
    let report = telemetry.flush(DEADLINE).await;
    assert_eq!((report.exported, report.dropped), (3, 0), "{report:?}");
    assert_eq!(store.stats().spans, 3);

    let answer = get(&address, &format!("/api/traces/{id}?raw=true")).await;
    let trace = &answer["data"][0];
    let by_name = |name: &str| trace["spans"].as_array().unwrap().iter().find(|s| s["operationName"] == name).unwrap();
    let (root, statement, other) = (by_name("call"), by_name("INSERT messages"), by_name("BEGIN"));
    assert_eq!(root["references"], json!([]));
    let reference = |kind: &str, span: &Value| json!({"refType": kind, "traceID": id, "spanID": span["spanID"]});
    assert_eq!(statement["references"], json!([reference("CHILD_OF", root), reference("FOLLOWS_FROM", other)]));
    assert!(tags(root).contains(&("url.path", &json!("/messages"))));
    for tag in [
        ("rows", json!(3)),
        ("span.kind", json!("client")),
        ("error", json!(true)),
        ("otel.status_code", json!("ERROR")),
        ("otel.status_description", json!("no answer")),
        ("error.type", json!("timeout")),
    ] {
        assert!(tags(statement).contains(&(tag.0, &tag.1)), "{tag:?} {statement}");
    }
    let process = &trace["processes"]["p1"];
    assert_eq!(process["serviceName"], "service-a");
    assert!(tags(process).contains(&("k8s.pod.name", &json!("service-a-1-x7k2f"))));
    assert!(tags(process).contains(&("service.version", &json!("0.1.0"))));
    assert_eq!(get(&address, "/api/services").await["data"], json!(["service-a"]));
    assert_eq!(get(&address, "/api/traces?service=service-a&limit=20&raw=true").await["data"], answer["data"]);
}

/// A busy service never learns from its exporter that the store was full for others.
#[tokio::test]
async fn a_full_store_takes_on_all_that_comes() {
    let (store, address) = receiver(Limits { bytes: 1 << 20 }).await;
    let telemetry = exporter(&address);
    let mut exported = 0;
    while store.stats().traces_dropped < 1000 {
        {
            let _entered = telemetry.enter();
            for _ in 0..500 {
                drop(span::start("work", SpanKind::Server, vec![KeyValue::new("url.path", "/")]));
            }
        }
        let report = telemetry.flush(DEADLINE).await;
        assert_eq!(report.dropped, 0, "{report:?}");
        exported = report.exported;
    }
    let stats = store.stats();
    assert_eq!(stats.spans + stats.spans_dropped, exported);
    assert_eq!(stats.traces_dropped, stats.spans_dropped);
    assert!(stats.bytes <= stats.limit);
}
