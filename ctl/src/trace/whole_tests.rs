use super::super::samples::{hop, message, span, span_id, tree};
use super::*;

fn root() -> Known {
    Known { root: Some(span_id(1)), ..Known::default() }
}

fn gaps_of(spans: Vec<Span>) -> Vec<String> {
    gaps(&tree(spans), root()).iter().map(ToString::to_string).collect()
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
    assert_eq!(gaps(&tree(spans), Known::default()), []);
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
    assert_eq!(gaps(&tree(spans.clone()), Known { outside: Some(span_id(77)), ..root() }), []);
    assert_ne!(gaps(&tree(spans), root()), []);
}

fn missed(spans: &[Span], delivery: Delivery) -> Vec<String> {
    gaps(&tree(spans.to_vec()), Known { delivery, ..root() }).iter().map(ToString::to_string).collect()
}

#[test]
fn a_message_is_whole_with_its_databases_alone_once_it_has_arrived() {
    assert_eq!(missed(&message(), Delivery::Arrived), [""; 0]);
}

#[test]
fn a_delivery_that_is_known_to_have_been_is_waited_for() {
    // The delivery's own spans come last.
    let accepted: Vec<Span> = message().into_iter().filter(|span| span.id < span_id(5)).collect();
    assert_eq!(missed(&accepted, Delivery::Unknown), [""; 0]);
    for delivery in [Delivery::Arrived, Delivery::GivenUp] {
        assert!(missed(&accepted, delivery)[0].starts_with("no span of the delivery has arrived"), "{delivery:?}");
    }
}

#[test]
fn a_delivery_is_whole_with_its_receivers_span() {
    let mut spans = message();
    spans.retain(|span| span.service != "service-b");
    let missed = missed(&spans, Delivery::Arrived);
    assert!(missed[0].contains("service-b, which answered `service-a POST /events`"), "{missed:?}");
}

#[test]
fn a_first_try_that_failed_is_not_the_delivery_that_arrived() {
    let mut spans: Vec<Span> = message().into_iter().filter(|span| span.id < span_id(5)).collect();
    spans.push(span(8, 3, "service-a POST /events", Kind::Client, 9_000, 500).failed_with("connection refused"));
    assert_eq!(missed(&spans, Delivery::GivenUp), [""; 0]);
    assert!(missed(&spans, Delivery::Arrived)[0].starts_with("no span of the delivery"));
}
