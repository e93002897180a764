use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::double::{Receiver, TRACE, gzip, request, statement, text};
use crate::cursor::Cursor;

/// `message` of a `google.rpc.Status` in protobuf.
fn status_message(body: &[u8]) -> String {
    let mut cursor = Cursor::new(body);
    assert_eq!((cursor.varint(), cursor.varint().is_some(), cursor.varint()), (Some(8), true, Some(18)));
    let length = cursor.number().unwrap();
    String::from_utf8(cursor.take(length).unwrap().to_vec()).unwrap()
}

/// What Jaeger 2.13 answers for the same span, as msctl's reader of it is held to.
#[tokio::test]
async fn a_span_is_answered_as_jaeger_answers_it() {
    let receiver = Receiver::start().await;
    receiver.post_json(&request("service-a", &json!([statement()]))).await;
    let answered = receiver.get(&format!("/api/traces/{TRACE}?raw=true")).await;
    let expected = json!({
        "data": [{
            "traceID": TRACE,
            "spans": [{
                "traceID": TRACE,
                "spanID": "00f067aa0ba902b7",
                "operationName": "INSERT messages",
                "references": [
                    {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "0000000000000002"},
                    {"refType": "FOLLOWS_FROM", "traceID": "00000000000000000000000000000b47", "spanID": "0000000000000009"}
                ],
                "startTime": 1_763_832_000_000_123_u64,
                "duration": 3900,
                "tags": [
                    {"key": "db.system.name", "type": "string", "value": "postgresql"},
                    {"key": "db.operation.name", "type": "string", "value": "INSERT"},
                    {"key": "db.collection.name", "type": "string", "value": "messages"},
                    {"key": "span.kind", "type": "string", "value": "client"}
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
    });
    assert_eq!((answered.status, answered.json()), (StatusCode::OK, expected));
    assert_eq!(answered.header("content-type"), "application/json");
}

#[tokio::test]
async fn status_scope_events_and_all_types_of_values_are_tags_as_jaeger_has_them() {
    let receiver = Receiver::start().await;
    let span = json!({
        "traceId": TRACE, "spanId": "01", "name": "work", "kind": 1, "traceState": "k=v",
        "startTimeUnixNano": "5000000", "endTimeUnixNano": "4000000",
        "status": {"code": 2, "message": "no route"},
        "attributes": [
            {"key": "int", "value": {"intValue": "-7"}},
            {"key": "large", "value": {"intValue": "9007199254740993"}},
            {"key": "double", "value": {"doubleValue": 0.5}},
            {"key": "bool", "value": {"boolValue": false}},
            {"key": "bytes", "value": {"bytesValue": "AQID"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}},
            {"key": "empty", "value": {}}
        ],
        "events": [{"timeUnixNano": "4500000", "name": "exception", "attributes": [text("exception.message", "boom")]}]
    });
    let mut span_of_eight_bytes = span.clone();
    span_of_eight_bytes["spanId"] = json!("0000000000000001");
    let mut body = request("service-a", &json!([span_of_eight_bytes]));
    body["resourceSpans"][0]["scopeSpans"][0]["scope"] = json!({"name": "my.library", "version": "1.0.0"});
    receiver.post_json(&body).await;
    let answer = receiver.get(&format!("/api/traces/{TRACE}")).await.json();
    let span = &answer["data"][0]["spans"][0];
    let tag = |key: &str, r#type: &str, value: Value| json!({"key": key, "type": r#type, "value": value});
    let tags = json!([
        tag("otel.scope.name", "string", json!("my.library")),
        tag("otel.scope.version", "string", json!("1.0.0")),
        tag("int", "int64", json!(-7)),
        tag("large", "int64", json!("9007199254740993")),
        tag("double", "float64", json!(0.5)),
        tag("bool", "bool", json!(false)),
        tag("bytes", "binary", json!("AQID")),
        tag("list", "string", json!(r#"["a",1]"#)),
        tag("empty", "string", json!("")),
        tag("span.kind", "string", json!("internal")),
        tag("otel.status_code", "string", json!("ERROR")),
        tag("error", "bool", json!(true)),
        tag("otel.status_description", "string", json!("no route")),
        tag("w3c.tracestate", "string", json!("k=v"))
    ]);
    assert_eq!(span["tags"], tags);
    let fields = json!([tag("event", "string", json!("exception")), tag("exception.message", "string", json!("boom"))]);
    assert_eq!(span["logs"], json!([{"timestamp": 4500, "fields": fields}]));
    // Its clock was set back.
    assert_eq!((&span["startTime"], &span["duration"], &span["references"]), (&json!(5000), &json!(0), &json!([])));
}

#[tokio::test]
async fn what_is_not_there_is_answered_in_jaegers_words() {
    let receiver = Receiver::start().await;
    let answered = receiver.get("/api/traces/2f").await;
    let errors = json!([{"code": 404, "msg": "trace not found"}]);
    let expected = json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": errors});
    assert_eq!((answered.status, answered.json()), (StatusCode::NOT_FOUND, expected));
    let answered = receiver.get("/api/traces/xyz").await;
    assert_eq!((answered.status, &answered.json()["errors"][0]["code"]), (StatusCode::BAD_REQUEST, &json!(400)));
    let answered = receiver.get("/api/traces").await;
    assert_eq!(answered.json()["errors"][0]["msg"], "parameter 'service' is required");
    let nobody = receiver.get("/api/traces?service=nobody").await;
    assert_eq!((nobody.status, &nobody.json()["data"]), (StatusCode::OK, &json!([])));
    assert_eq!(receiver.get("/api/services").await.json()["data"], json!([]));
    // Other paths are not Jaeger's, and do not look so.
    let other = receiver.get("/api/dependencies").await;
    assert_eq!((other.status, serde_json::from_slice::<Value>(&other.body).is_err()), (StatusCode::NOT_FOUND, true));
    let other = receiver.send(Request::delete("/"), "/api/services", "").await;
    assert_eq!((other.status, other.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
    let other = receiver.get("/v1/traces").await;
    assert_eq!((other.status, other.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}

#[tokio::test]
async fn services_and_their_latest_traces_are_listed() {
    let receiver = Receiver::start().await;
    for (trace, service) in [(1, "service-b"), (3, "my service&x"), (2, "my service&x")] {
        let mut span = statement();
        span["traceId"] = json!(format!("{trace:032x}"));
        span["startTimeUnixNano"] = json!(trace * 1_000_000);
        receiver.post_json(&request(service, &json!([span]))).await;
    }
    let services = receiver.get("/api/services").await.json();
    assert_eq!(services["data"], json!(["my service&x", "service-b"]));
    assert_eq!(services["total"], 2);
    let ids =
        |answer: Value| answer["data"].as_array().unwrap().iter().map(|t| t["traceID"].clone()).collect::<Vec<_>>();
    let path = "/api/traces?service=my%20service%26x&limit=20&raw=true";
    let both = [json!(format!("{:032x}", 3)), json!(format!("{:032x}", 2))];
    assert_eq!(ids(receiver.get(path).await.json()), both);
    assert_eq!(ids(receiver.get("/api/traces?service=my+service%26x&limit=1").await.json()), both[..1]);
    assert_eq!(ids(receiver.get("/api/traces?service=my+service%26x&start=1500&end=2500").await.json()), both[1..]);
}

#[tokio::test]
async fn a_large_trace_is_answered_whole_in_pieces() {
    let receiver = Receiver::start().await;
    let spans: Vec<_> = (1..=3000)
        .map(|id| {
            let mut span = statement();
            span["spanId"] = json!(format!("{id:016x}"));
            span
        })
        .collect();
    for (index, spans) in spans.chunks(1000).enumerate() {
        receiver.post_json(&request(&format!("service-{index}"), &json!(spans))).await;
    }
    let answer = receiver.get(&format!("/api/traces/{TRACE}")).await.json();
    let trace = &answer["data"][0];
    for (index, span) in trace["spans"].as_array().unwrap().iter().enumerate() {
        assert_eq!(span["spanID"], format!("{:016x}", index + 1));
        let process = &trace["processes"][span["processID"].as_str().unwrap()];
        assert_eq!(process["serviceName"], format!("service-{}", index / 1000));
    }
    assert_eq!(receiver.store.stats().spans, 3000);
}

#[tokio::test]
async fn bodies_come_packed_or_not() {
    let receiver = Receiver::start().await;
    let body = request("service-a", &json!([statement()])).to_string();
    let packed = |encoding: &str| {
        Request::post("/")
            .header("content-type", "application/json; charset=utf-8")
            .header("content-encoding", encoding)
    };
    for encoding in ["gzip", "GZIP"] {
        let answered = receiver.send(packed(encoding), "/v1/traces", gzip(body.as_bytes())).await;
        assert_eq!((answered.status, answered.header("content-type")), (StatusCode::OK, "application/json"));
    }
    // In two members, as some packers that work in parallel write it.
    let (first, second) = body.as_bytes().split_at(100);
    let members = [gzip(first), gzip(second)].concat();
    assert_eq!(receiver.send(packed("gzip"), "/v1/traces", members).await.status, StatusCode::OK);
    assert_eq!(receiver.store.stats().spans_duplicate, 2);

    let mut broken = gzip(body.as_bytes());
    broken.truncate(broken.len() - 9);
    let answered = receiver.send(packed("gzip"), "/v1/traces", broken).await;
    assert_eq!((answered.status, &answered.json()["code"]), (StatusCode::BAD_REQUEST, &json!(3)));
    let answered = receiver.send(packed("zstd"), "/v1/traces", body).await;
    assert_eq!((answered.status, answered.header("accept-encoding")), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "gzip"));
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused_with_a_status_in_their_encoding() {
    let receiver = Receiver::start().await;
    let answered = receiver.post("application/x-protobuf", &[0x0a, 0x05, 1][..]).await;
    assert_eq!((answered.status, answered.header("content-type")), (StatusCode::BAD_REQUEST, "application/x-protobuf"));
    assert_eq!(status_message(&answered.body), "the protobuf message breaks off in a field");
    let answered = receiver.post("application/json", "{\"resourceSpans\":7}").await;
    assert_eq!((answered.status, answered.header("content-type")), (StatusCode::BAD_REQUEST, "application/json"));
    assert!(answered.json()["message"].as_str().unwrap().contains("resourceSpans"));
    for content_type in ["text/plain", "application/grpc"] {
        assert_eq!(receiver.post(content_type, "").await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    // Nothing at all is a request without spans.
    let answered = receiver.post("application/x-protobuf", "").await;
    assert_eq!((answered.status, answered.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn spans_that_can_not_be_stored_are_said_to_be_rejected() {
    let receiver = Receiver::start().await;
    let mut invalid = statement();
    invalid["spanId"] = json!("");
    let body = request("service-a", &json!([statement(), invalid])).to_string();
    let answered = receiver.post("application/json", body).await;
    assert_eq!(answered.status, StatusCode::OK);
    assert_eq!(answered.json()["partialSuccess"]["rejectedSpans"], "1");
}
