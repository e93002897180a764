use super::super::samples::{hop, span, span_id, tree};
use super::*;

fn gaps_of(spans: Vec<Span>) -> Vec<String> {
    gaps(&tree(spans), Some(span_id(1)), None).iter().map(ToString::to_string).collect()
}

#[test]
fn the_whole_hop_lacks_nothing() {
    assert_eq!(gaps_of(hop()), [""; 0]);
}

#[test]
fn every_single_span_of_the_hop_is_missed_when_it_is_away() {
    for away in 0..5 {
        let mut spans = hop();
        let lost = spans.remove(away);
        assert_ne!(gaps_of(spans), [""; 0], "{} was away", lost.title());
    }
}

#[test]
fn a_missing_receiver_is_named() {
    let mut spans = hop();
    spans.pop();
    assert_eq!(gaps_of(spans), ["no span of service-b, which answered `service-a GET`, has arrived"]);
}

#[test]
fn a_missing_parent_is_named_with_its_child() {
    let mut spans = hop();
    spans.remove(3);
    let gaps = gaps_of(spans);
    assert_eq!(gaps, ["span 0000000000000004, the parent of `service-b GET /`, has not arrived"]);
}

#[test]
fn a_missing_root_is_said_once() {
    let mut spans = hop();
    spans.remove(0);
    assert_eq!(gaps_of(spans), ["the root span 0000000000000001 has not arrived"]);
}

#[test]
fn nothing_at_all_is_a_gap() {
    assert_eq!(gaps_of(Vec::new()), ["no span has arrived"]);
}

#[test]
fn databases_and_requests_that_got_no_answer_have_no_receiver() {
    let spans = vec![
        span(1, 0, "service-a GET /", Kind::Server, 0, 100).answered(200),
        span(2, 1, "service-a SELECT", Kind::Client, 10, 10).with("db.system.name", "postgresql"),
        span(3, 1, "service-a GET", Kind::Client, 30, 10).failed_with("connection refused"),
    ];
    assert_eq!(gaps(&tree(spans), None, None), []);
}

#[test]
fn a_receiver_that_answered_an_error_is_waited_for() {
    let spans = vec![
        span(1, 0, "msctl call", Kind::Internal, 0, 200),
        span(2, 1, "msctl GET", Kind::Client, 0, 100).answered(503).failed_with("503"),
    ];
    assert_eq!(gaps_of(spans), ["no span of what answered `msctl GET` has arrived"]);
}

#[test]
fn a_parent_outside_the_call_is_not_waited_for() {
    let mut spans = hop();
    spans[0].parent = Some(span_id(77));
    assert_eq!(gaps(&tree(spans.clone()), Some(span_id(1)), Some(span_id(77))), []);
    assert_ne!(gaps(&tree(spans), Some(span_id(1)), None), []);
}
