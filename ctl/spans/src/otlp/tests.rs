use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use serde_json::{Value, json};

use super::*;

/// `examples/trace.json` of opentelemetry-proto, the specification's own.
fn example() -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
        "scopeSpans": [{
            "scope": {
                "name": "my.library",
                "version": "1.0.0",
                "attributes": [{"key": "my.scope.attribute", "value": {"stringValue": "some scope attribute"}}]
            },
            "spans": [{
                "traceId": "5B8EFFF798038103D269B633813FC60C",
                "spanId": "EEE19B7EC3C1B174",
                "parentSpanId": "EEE19B7EC3C1B173",
                "name": "I'm a server span",
                "startTimeUnixNano": "1544712660000000000",
                "endTimeUnixNano": "1544712661000000000",
                "kind": 2,
                "attributes": [{"key": "my.span.attr", "value": {"stringValue": "some value"}}]
            }]
        }]
    }]})
}

/// As protobuf's own library reads what we made of the JSON.
fn read(body: &Value) -> ExportTraceServiceRequest {
    let request = transcode(body.to_string().as_bytes()).unwrap();
    check(&request).unwrap();
    ExportTraceServiceRequest::decode(&request[..]).unwrap()
}

fn with_attribute(value: &Value) -> Value {
    let mut body = example();
    body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0]["value"] = value.clone();
    body
}

/// The value of the one attribute of the one span, as JSON.
fn seen(body: &Value) -> String {
    struct Seen(Vec<String>);
    impl<'a> Sink<'a> for Seen {
        fn resource(&mut self, _: Attributes<'a>) {}
        fn scope(&mut self, _: Scope<'a>) {}
        fn span(&mut self, span: Option<Span<'a>>) {
            self.0.extend(span.unwrap().attributes().iter().map(|(_, value)| value.to_json()));
        }
    }
    let mut seen = Seen(Vec::new());
    walk(&transcode(body.to_string().as_bytes()).unwrap(), &mut seen).unwrap();
    seen.0.concat()
}

#[test]
fn the_specifications_example_is_read() {
    let request = read(&example());
    let resource = &request.resource_spans[0];
    let span = &resource.scope_spans[0].spans[0];
    assert_eq!(span.trace_id, 0x5B8E_FFF7_9803_8103_D269_B633_813F_C60C_u128.to_be_bytes());
    assert_eq!(span.span_id, 0xEEE1_9B7E_C3C1_B174_u64.to_be_bytes());
    assert_eq!(span.parent_span_id, 0xEEE1_9B7E_C3C1_B173_u64.to_be_bytes());
    assert_eq!((span.name.as_str(), span.kind), ("I'm a server span", 2));
    assert_eq!(span.start_time_unix_nano, 1_544_712_660_000_000_000);
    assert_eq!(span.end_time_unix_nano, 1_544_712_661_000_000_000);
    assert_eq!(span.attributes[0].key, "my.span.attr");
    assert_eq!(resource.scope_spans[0].scope.as_ref().unwrap().version, "1.0.0");
    assert_eq!(resource.resource.as_ref().unwrap().attributes[0].key, "service.name");
    assert_eq!(seen(&example()), r#""some value""#);
}

#[test]
fn every_kind_of_value_is_read() {
    for (value, expected) in [
        (json!({"stringValue": "a\u{e4}\n"}), "\"a\u{e4}\\n\""),
        (json!({"boolValue": true}), "true"),
        (json!({"intValue": "-9007199254740993"}), "-9007199254740993"),
        (json!({"intValue": 42}), "42"),
        (json!({"intValue": 1e3}), "1000"),
        (json!({"doubleValue": 1.5}), "1.5"),
        (json!({"doubleValue": 3}), "3.0"),
        (json!({"doubleValue": "-2.25"}), "-2.25"),
        (json!({"bytesValue": "AQID"}), r#""AQID""#),
        (json!({"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "x"}, {}]}}), r#"[1,"x",null]"#),
        (json!({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": false}}]}}), r#"{"k":false}"#),
        (json!({"arrayValue": {}}), "[]"),
        (json!({}), "null"),
        (json!(null), "null"),
        (json!({"somethingNew": {"deep": [1, {}]}}), "null"),
    ] {
        assert_eq!(seen(&with_attribute(&value)), expected, "{value}");
    }
}

#[test]
fn names_that_are_unknown_or_not_in_camel_case_are_ignored_and_null_is_absent() {
    let mut body = example();
    let span = &mut body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    span["parent_span_id"] = json!("0000000000000001");
    span["parentSpanId"] = json!(null);
    span["events"] = json!(null);
    span["tomorrow"] = json!({"a": [1, 2, {"b": null}]});
    body["resourceSpans"][0]["resource"] = json!(null);
    let request = read(&body);
    assert!(request.resource_spans[0].scope_spans[0].spans[0].parent_span_id.is_empty());
    assert_eq!(read(&json!({})), ExportTraceServiceRequest::default());
}

/// What is handed over, in its order.
#[derive(Default)]
struct Order(Vec<String>);
impl<'a> Sink<'a> for Order {
    fn resource(&mut self, attributes: Attributes<'a>) {
        self.0.extend(attributes.iter().map(|(_, value)| value.to_json()));
    }
    fn scope(&mut self, scope: Scope<'a>) {
        self.0.push(scope.name.to_owned());
    }
    fn span(&mut self, _: Option<Span<'a>>) {
        self.0.push("span".to_owned());
    }
}

#[test]
fn a_resource_may_come_after_its_spans() {
    let text = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
        "spanId":"EEE19B7EC3C1B174"}],"scope":{"name":"late"}}],
        "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"later"}}]}}]}"#;
    let mut order = Order::default();
    walk(&transcode(text.as_bytes()).unwrap(), &mut order).unwrap();
    assert_eq!(order.0, ["\"later\"", "late", "span"]);
}

#[test]
fn json_that_is_no_request_is_refused_with_what_is_wrong() {
    let spans = |span: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    for (body, what) in [
        (String::new(), "EOF"),
        ("[]".to_owned(), "an object"),
        (r#"{"resourceSpans":[]} x"#.to_owned(), "trailing"),
        (r#"{"resourceSpans":{}}"#.to_owned(), "resourceSpans"),
        (spans(r#"{"traceId":"xyz0"}"#), "hex digits for traceId"),
        (spans(r#"{"traceId":"abc"}"#), "hex digits for traceId"),
        (spans(r#"{"kind":"SPAN_KIND_SERVER"}"#), "the number of an enum's value for kind"),
        (spans(r#"{"startTimeUnixNano":"-1"}"#), "startTimeUnixNano"),
        (spans(r#"{"startTimeUnixNano":1.5}"#), "startTimeUnixNano"),
        (spans(r#"{"name":7}"#), "a string for name"),
        (spans(r#"{"attributes":[{"key":"k","value":{"intValue":"1x"}}]}"#), "intValue"),
    ] {
        let error = transcode(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(what), "{body}: {error}");
    }
}

#[test]
fn values_nested_without_end_are_refused() {
    let deep = (0..50).fold(json!({}), |value, _| json!({"arrayValue": {"values": [value]}}));
    assert!(transcode(with_attribute(&deep).to_string().as_bytes()).is_err());
    // As protobuf: each level is a message in a message.
    let bytes = |number: u32, content: &[u8]| {
        let mut out = Vec::new();
        wire::put_bytes(&mut out, number, content);
        out
    };
    let nested = |levels: usize| {
        let value = (0..levels).fold(Vec::new(), |value, _| bytes(5, &bytes(1, &value)));
        let span = bytes(9, &bytes(2, &value));
        bytes(1, &bytes(2, &bytes(2, &span)))
    };
    assert_eq!(check(&nested(60)), Ok(()));
    assert_eq!(check(&nested(100)), Err(Malformed::Depth));
    assert_eq!(check(&nested(10_000)), Err(Malformed::Depth));
}

/// A generator of numbers that needs no seed from outside, so that a failure comes again.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn broken_bytes_are_never_taken_for_more_than_protobufs_own_library_takes_them() {
    let mut span = example();
    span["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["events"] = json!([{"timeUnixNano": "5", "name": "e"}]);
    span["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["links"] =
        json!([{"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B175"}]);
    span["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"] = json!({"code": 2, "message": "no"});
    let whole = read(&span).encode_to_vec();
    check(&whole).unwrap();
    for length in 0..whole.len() {
        let ours = check(&whole[..length]).is_ok();
        assert_eq!(ours, ExportTraceServiceRequest::decode(&whole[..length]).is_ok(), "{length}");
    }
    let (mut state, mut refused) = (0x9e37_79b9_7f4a_7c15, 0);
    for _ in 0..50_000 {
        let mut broken = whole.clone();
        for _ in 0..=random(&mut state) % 3 {
            let place = usize::try_from(random(&mut state)).unwrap() % broken.len();
            broken[place] = random(&mut state).to_le_bytes()[0];
        }
        let ours = check(&broken);
        refused += u32::from(ours.is_err());
        // The library knows the groups of version 2 of the language.
        if ours != Err(Malformed::Tag) && ours != Ok(()) {
            let theirs = ExportTraceServiceRequest::decode(&broken[..]);
            assert!(theirs.is_err(), "{ours:?} {theirs:?}");
        }
    }
    assert!((1_000..49_000).contains(&refused), "{refused}");
}

#[test]
fn answers_are_what_protobufs_own_library_reads() {
    assert_eq!(Encoding::Protobuf.response(0, ""), ExportTraceServiceResponse::default().encode_to_vec());
    let partial = ExportTraceServiceResponse::decode(&Encoding::Protobuf.response(300, "why")[..]).unwrap();
    let partial = partial.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (300, "why"));
    assert_eq!(Encoding::Json.response(0, ""), b"{}");
    let json: Value = serde_json::from_slice(&Encoding::Json.response(2, "why")).unwrap();
    assert_eq!(json, json!({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "why"}}));
    let json: Value = serde_json::from_slice(&Encoding::Json.status(Code::InvalidArgument, "what")).unwrap();
    assert_eq!(json, json!({"code": 3, "message": "what"}));
}
