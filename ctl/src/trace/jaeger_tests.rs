use serde_json::json;

use super::super::samples::{span_id, trace_id};
use super::*;

fn read(answer: &Value) -> Trace {
    let answer: Answer<WireTrace> = serde_json::from_value(answer.clone()).unwrap();
    answer.data.into_iter().next().unwrap().try_into().unwrap()
}

/// What Jaeger 2.13 answers for one span of service-a.
fn answer() -> Value {
    json!({
        "data": [{
            "traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
            "spans": [{
                "traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
                "spanID": "00f067aa0ba902b7",
                "operationName": "GET /service-b",
                "references": [{
                    "refType": "CHILD_OF",
                    "traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "spanID": "0000000000000002"
                }],
                "startTime": 1_763_832_000_000_123_u64,
                "duration": 3900,
                "tags": [
                    {"key": "span.kind", "type": "string", "value": "server"},
                    {"key": "http.response.status_code", "type": "int64", "value": 200}
                ],
                "logs": [],
                "processID": "p1",
                "warnings": null
            }],
            "processes": {"p1": {"serviceName": "service-a", "tags": [
                {"key": "k8s.pod.name", "type": "string", "value": "service-a-6b7f-x2x4z"},
                {"key": "k8s.node.name", "type": "string", "value": "node-1"},
                {"key": "k8s.namespace.name", "type": "string", "value": "demo"},
                {"key": "service.version", "type": "string", "value": "0.1.0"}
            ]}},
            "warnings": null
        }],
        "total": 0, "limit": 0, "offset": 0, "errors": null
    })
}

#[test]
fn a_span_is_read_with_its_parent_kind_status_and_place() {
    let trace = read(&answer());
    assert_eq!(trace.id, trace_id());
    let span = &trace.spans[0];
    assert_eq!(span.title(), "service-a GET /service-b");
    assert_eq!(span.parent, Some(span_id(2)));
    assert_eq!((span.kind, span.http_status()), (Kind::Server, Some(200)));
    assert_eq!((span.start, span.duration), (1_763_832_000_000_123, 3900));
    assert_eq!(span.outcome, Outcome::Fine);
    let place = Place {
        pod: Some("service-a-6b7f-x2x4z".into()),
        namespace: Some("demo".into()),
        node: Some("node-1".into()),
        version: Some("0.1.0".into()),
    };
    assert_eq!(span.place, place);
}

#[test]
fn a_link_to_another_trace_is_no_parent() {
    let mut answer = answer();
    answer["data"][0]["spans"][0]["references"][0]["traceID"] = json!("ff");
    assert_eq!(read(&answer).spans[0].parent, None);
}

#[test]
fn a_parent_comes_before_what_a_span_follows() {
    let mut answer = answer();
    let references = answer["data"][0]["spans"][0]["references"].as_array_mut().unwrap();
    let mut link = references[0].clone();
    link["refType"] = json!("FOLLOWS_FROM");
    link["spanID"] = json!("9");
    references.insert(0, link);
    assert_eq!(read(&answer).spans[0].parent, Some(span_id(2)));
}

/// A statement's span as Jaeger 2.13 answers it: the parent first, then the link to the batch's commit.
fn statement() -> Value {
    let mut answer = answer();
    let span = &mut answer["data"][0]["spans"][0];
    span["operationName"] = json!("INSERT messages");
    span["references"].as_array_mut().unwrap().push(json!({
        "refType": "FOLLOWS_FROM",
        "traceID": "00000000000000000000000000000b47",
        "spanID": "0000000000000009"
    }));
    span["tags"] = json!([
        {"key": "db.system.name", "type": "string", "value": "postgresql"},
        {"key": "db.operation.name", "type": "string", "value": "INSERT"},
        {"key": "db.collection.name", "type": "string", "value": "messages"},
        {"key": "span.kind", "type": "string", "value": "client"}
    ]);
    answer
}

#[test]
fn a_statement_is_a_databases_and_its_link_no_parent() {
    let span = read(&statement()).spans.remove(0);
    assert_eq!((span.title().as_str(), span.kind), ("service-a INSERT messages", Kind::Client));
    assert!(span.is_database());
    assert_eq!(span.database(), Some("postgresql"));
    assert_eq!(span.parent, Some(span_id(2)));
    let batch = "00000000000000000000000000000b47".parse().unwrap();
    assert_eq!(span.links, [Link { trace: batch, span: span_id(9) }]);
}

#[test]
fn a_link_of_a_root_span_stays_a_link_and_a_malformed_one_is_dropped() {
    let mut answer = statement();
    let references = answer["data"][0]["spans"][0]["references"].as_array_mut().unwrap();
    references.remove(0);
    references.push(json!({"refType": "FOLLOWS_FROM", "traceID": "zz", "spanID": "1"}));
    let span = read(&answer).spans.remove(0);
    assert_eq!((span.parent, span.links.len()), (None, 1));
}

#[test]
fn links_are_for_programs_too() {
    let mut trace = read(&statement());
    let span = &mut trace.spans[0];
    span.parent = None;
    let tree = super::super::Tree::build(trace);
    let report = serde_json::to_value(super::super::Report::new(&tree, &[])).unwrap();
    let links = json!([{"traceId": "00000000000000000000000000000b47", "spanId": "0000000000000009"}]);
    assert_eq!(report["spans"][0]["links"], links);
}

#[test]
fn a_failed_span_says_why() {
    let failed = |tags: Value, logs: Value| {
        let mut answer = answer();
        answer["data"][0]["spans"][0]["tags"] = tags;
        answer["data"][0]["spans"][0]["logs"] = logs;
        read(&answer).spans[0].outcome.clone()
    };
    let reason = |text: &str| Outcome::Failed(Some(text.to_owned()));
    let status = json!({"key": "otel.status_code", "value": "ERROR"});
    let description = json!({"key": "otel.status_description", "value": "no route"});
    let class = json!({"key": "error.type", "value": "timeout"});
    let exception = json!([{"timestamp": 1, "fields": [{"key": "exception.message", "value": "boom"}]}]);
    assert_eq!(failed(json!([status, description]), json!(null)), reason("no route"));
    assert_eq!(failed(json!([status, class]), exception), reason("boom"));
    assert_eq!(failed(json!([status, class]), json!([])), reason("timeout"));
    assert_eq!(failed(json!([{"key": "error", "value": true}]), json!([])), Outcome::Failed(None));
    assert_eq!(failed(json!([{"key": "error", "value": "false"}]), json!([])), Outcome::Fine);
    assert_eq!(failed(json!([{"key": "otel.status_code", "value": "OK"}]), json!([])), Outcome::Fine);
}

#[test]
fn a_span_without_a_process_is_shown_all_the_same() {
    let mut answer = answer();
    answer["data"][0]["processes"] = json!(null);
    assert_eq!(read(&answer).spans[0].service, "unknown");
}

#[test]
fn a_malformed_id_is_an_error() {
    let mut answer = answer();
    answer["data"][0]["spans"][0]["spanID"] = json!("zz");
    let answer: Answer<WireTrace> = serde_json::from_value(answer).unwrap();
    assert!(Trace::try_from(answer.data.into_iter().next().unwrap()).is_err());
}

#[test]
fn an_answer_without_data_is_empty() {
    let text = r#"{"data":null,"total":0,"errors":[{"code":404,"msg":"trace not found"}]}"#;
    let answer: Answer<WireTrace> = serde_json::from_str(text).unwrap();
    assert!(answer.data.is_empty());
    assert_eq!(answer.errors[0].msg, "trace not found");
}
