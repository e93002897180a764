use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan};
use prost::Message as _;

use super::*;

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(trace: u128, id: u64) -> WireSpan {
    WireSpan {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        name: "GET /".to_owned(),
        start_time_unix_nano: 1_000_000 * u64::try_from(trace).unwrap() + id,
        attributes: vec![text("http.route", "/"), text("unique", format!("{trace} and {id}"))],
        ..WireSpan::default()
    }
}

fn request(service: &str, spans: Vec<WireSpan>) -> Vec<u8> {
    let resource = Resource { attributes: vec![text("service.name", service)], ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn put(store: &Store, trace: u128, ids: impl IntoIterator<Item = u64>) -> Taken {
    store.take(&request("a", ids.into_iter().map(|id| span(trace, id)).collect())).unwrap()
}

fn small() -> Store {
    Store::new(Limits { bytes: 1 << 20 })
}

fn count(store: &Store, trace: u128) -> Option<usize> {
    store.look(store.find(trace)?, |view| view.spans_from(0).count())
}

#[test]
fn the_traces_that_were_quiet_for_longest_go_whole_and_are_counted() {
    let store = small();
    let (mut sent, mut last) = (0, 0);
    while store.stats().traces_dropped < 500 {
        last += 1;
        put(&store, last, 1..=7);
        sent += 7;
        let stats = store.stats();
        assert!(stats.bytes <= stats.limit, "{stats:?}");
    }
    let stats = store.stats();
    assert_eq!((stats.traces_dropped * 7, stats.traces * 7), (stats.spans_dropped, stats.spans));
    assert_eq!(stats.spans + stats.spans_dropped, sent);
    let dropped = u128::from(stats.traces_dropped);
    for trace in 1..=last {
        assert_eq!(count(&store, trace), (trace > dropped).then_some(7), "{trace}");
    }
}

#[test]
fn a_trace_that_still_grows_outlives_idle_ones_that_are_younger() {
    let store = small();
    put(&store, 1, [1]);
    put(&store, 2, [1]);
    let mut turns = 1;
    while store.find(2).is_some() {
        turns += 1;
        put(&store, 1, [turns]);
        put(&store, u128::from(turns) + 1000, 1..=20);
    }
    assert_eq!(count(&store, 1), usize::try_from(turns).ok());
}

#[test]
fn late_spans_of_a_dropped_trace_are_refused_and_make_no_torso() {
    let store = small();
    put(&store, 1, [1, 2]);
    let mut other = 2;
    while store.find(1).is_some() {
        put(&store, other, 1..=20);
        other += 1;
    }
    assert_eq!(put(&store, 1, [3, 4, 5]), Taken { late: 3, invalid: 0 });
    assert_eq!((store.find(1), store.stats().spans_late), (None, 3));
}

#[test]
fn a_trace_that_takes_half_of_the_store_goes_before_all_others() {
    let store = small();
    put(&store, 1, 1..=5);
    let mut id = 0;
    while put(&store, 2, [id + 1]).late == 0 {
        id += 1;
        assert!(id < 100_000);
    }
    assert_eq!((count(&store, 1), count(&store, 2)), (Some(5), None));
    assert_eq!(store.stats().spans_dropped, id);
}

#[test]
fn a_retried_export_is_stored_once() {
    let store = small();
    for _ in 0..3 {
        put(&store, 1, 1..=100);
    }
    let stats = store.stats();
    assert_eq!((stats.spans, stats.spans_duplicate), (100, 200));
}

#[test]
fn spans_without_a_valid_id_are_refused_alone() {
    let store = small();
    let bad = [
        WireSpan { trace_id: vec![1; 8], ..span(1, 2) },
        WireSpan { trace_id: vec![0; 16], ..span(1, 3) },
        WireSpan { span_id: Vec::new(), ..span(1, 4) },
    ];
    let spans = bad.into_iter().chain([span(1, 1)]).collect();
    assert_eq!(store.take(&request("a", spans)).unwrap(), Taken { late: 0, invalid: 3 });
    assert_eq!((count(&store, 1), store.stats().spans_invalid), (Some(1), 3));
}

#[test]
fn nothing_of_a_malformed_request_is_stored() {
    let store = small();
    let mut request = request("a", vec![span(1, 1)]);
    request.extend_from_slice(&[0x0a, 0x05, 1]);
    assert!(store.take(&request).is_err());
    assert_eq!((store.stats().spans, store.stats().traces), (0, 0));
}

#[test]
fn what_is_dropped_leaves_no_string_resource_or_scope_behind() {
    let store = small();
    let empty = store.shelf().texts.len();
    for trace in 1..=20_000_u128 {
        // A value that comes again, as a name and as an attribute's, gets a number.
        let value = format!("a value of {trace}");
        let one = |id| WireSpan { name: value.clone(), attributes: vec![text("some.key", &value)], ..span(trace, id) };
        store.take(&request(&format!("service {}", trace / 3), vec![one(1), one(2)])).unwrap();
    }
    let stats = store.stats();
    assert!(stats.traces_dropped > 10_000, "{stats:?}");
    let shelf = store.shelf();
    let (texts, services) = (shelf.texts.len() - empty, usize::try_from(stats.services).unwrap());
    let traces = usize::try_from(stats.traces).unwrap();
    assert!(services < traces && shelf.service_names().len() == services);
    // A name a service, a value a trace, and a few keys.
    assert!(texts <= services + traces + 10, "{texts} {services} {traces}");
    assert_eq!((shelf.processes.len(), shelf.scopes.len()), (services, 1));
}

#[test]
fn the_latest_traces_of_a_service_are_those_that_began_last() {
    let store = small();
    for trace in [5, 3, 9, 7] {
        put(&store, trace, [1]);
    }
    store.take(&request("b", vec![span(9, 2), span(4, 1)])).unwrap();
    let found = |service: &str, from, to, limit| {
        store.latest(service, from, to, limit).iter().map(|trace| trace.id).collect::<Vec<_>>()
    };
    assert_eq!(found("a", 0, u64::MAX, 3), [9, 7, 5]);
    assert_eq!(found("b", 0, u64::MAX, 3), [9, 4]);
    assert_eq!(found("a", 3_000_001, 7_000_001, 9), [7, 5, 3]);
    assert_eq!(found("a", 3_000_002, 7_000_000, 9), [5]);
    assert_eq!(found("a", 9, 8, 9), []);
    assert_eq!(found("c", 0, u64::MAX, 9), []);
    // A span that began earlier than those before it.
    let early = WireSpan { start_time_unix_nano: 1, ..span(9, 3) };
    store.take(&request("a", vec![early])).unwrap();
    assert_eq!(found("a", 0, u64::MAX, 9), [7, 5, 3, 9]);
    assert_eq!(store.services(), ["a", "b"]);
}

#[test]
fn a_handle_is_of_one_trace_only_also_when_its_place_is_taken() {
    let store = small();
    put(&store, 1, [1]);
    let handle = store.find(1).unwrap();
    let mut other = 2;
    while store.find(1).is_some() {
        put(&store, other, 1..=20);
        other += 1;
    }
    put(&store, other, [1]);
    assert!(store.look(handle, |_| ()).is_none());
}

#[test]
fn what_would_take_much_more_to_read_than_to_send_is_left_out_and_counted() {
    let store = small();
    let many = WireSpan { attributes: vec![KeyValue::default(); 50_000], ..span(1, 1) };
    store.take(&request("a", vec![many])).unwrap();
    let left_out = |view: &TraceView<'_>| {
        let (_, span) = view.spans_from(0).next().unwrap();
        let last = span.attributes.last().unwrap();
        assert!(matches!(last.value, Value::Int(48_976)), "{last:?}");
        (view.text(last.key).to_owned(), span.attributes.len())
    };
    let seen = store.look(store.find(1).unwrap(), left_out).unwrap();
    assert_eq!(seen, ("otel.dropped_attributes_count".to_owned(), 1025));
}
