use super::super::samples::{hop, span, span_id, tree};
use super::*;

/// `depth title`, a line each.
fn outline(tree: &Tree) -> Vec<String> {
    tree.rows
        .iter()
        .map(|row| match &row.entry {
            Entry::Span(placed) => format!("{} {}", row.depth, placed.span.title()),
            Entry::Missing(id) => format!("{} missing {id}", row.depth),
        })
        .collect()
}

fn shift_of(tree: &Tree, id: u64) -> i64 {
    tree.spans().find(|placed| placed.span.id == span_id(id)).unwrap().shift
}

#[test]
fn spans_in_any_order_become_one_tree() {
    let mut spans = hop();
    spans.reverse();
    assert_eq!(
        outline(&tree(spans)),
        ["0 msctl call", "1 msctl GET", "2 service-a GET /service-b", "3 service-a GET", "4 service-b GET /",]
    );
}

#[test]
fn siblings_come_by_their_start() {
    let spans = vec![
        span(1, 0, "a root", Kind::Server, 0, 100),
        span(2, 1, "a late", Kind::Internal, 50, 10),
        span(3, 1, "a early", Kind::Internal, 10, 10),
    ];
    assert_eq!(outline(&tree(spans)), ["0 a root", "1 a early", "1 a late"]);
}

#[test]
fn spans_of_one_missing_parent_stand_together_below_the_rest() {
    let spans = vec![
        span(5, 9, "b two", Kind::Server, 20, 5),
        span(4, 9, "b one", Kind::Server, 10, 5),
        span(1, 0, "a root", Kind::Server, 30, 100),
    ];
    assert_eq!(outline(&tree(spans)), ["0 a root", "0 missing 0000000000000009", "1 b one", "1 b two"]);
}

#[test]
fn several_roots_are_all_shown() {
    let spans = vec![span(2, 0, "b root", Kind::Server, 10, 5), span(1, 0, "a root", Kind::Server, 0, 5)];
    assert_eq!(outline(&tree(spans)), ["0 a root", "0 b root"]);
}

#[test]
fn a_doubled_span_is_shown_once_in_its_longer_copy() {
    let spans = vec![
        span(1, 0, "a root", Kind::Server, 0, 40),
        span(1, 0, "a root", Kind::Server, 0, 100),
        span(1, 0, "a root", Kind::Server, 0, 100),
    ];
    let tree = tree(spans);
    assert_eq!(outline(&tree), ["0 a root"]);
    assert_eq!(tree.spans().next().unwrap().span.duration, 100);
}

#[test]
fn a_ring_of_parents_is_cut_and_every_span_shown_once() {
    let spans = vec![
        span(1, 3, "a one", Kind::Internal, 0, 5),
        span(2, 1, "a two", Kind::Internal, 1, 5),
        span(3, 2, "a three", Kind::Internal, 2, 5),
        span(4, 4, "a itself", Kind::Internal, 3, 5),
    ];
    assert_eq!(outline(&tree(spans)), ["0 a one", "1 a two", "2 a three", "0 a itself"]);
}

#[test]
fn a_receiver_whose_clock_is_ahead_is_moved_into_its_senders_time() {
    let spans = vec![
        span(1, 0, "msctl GET", Kind::Client, 0, 1_000),
        span(2, 1, "service-a GET /", Kind::Server, 5_000, 400),
        span(3, 2, "service-a query", Kind::Client, 5_100, 200),
    ];
    let tree = tree(spans);
    // 600 microseconds of network, half of them before the receiver started.
    assert_eq!(shift_of(&tree, 2), -4_700);
    assert_eq!(shift_of(&tree, 3), -4_700, "what the same clock timed moves along");
}

#[test]
fn a_receiver_whose_clock_is_behind_never_starts_before_its_cause() {
    let spans = vec![
        span(1, 0, "msctl GET", Kind::Client, 10_000, 1_000),
        span(2, 1, "service-a GET /", Kind::Server, 0, 3_000),
    ];
    // It lasted longer than its sender waited: only its start is known to be wrong.
    assert_eq!(shift_of(&tree(spans), 2), 10_000);
}

#[test]
fn work_that_goes_on_after_its_caller_is_no_clock_error() {
    let spans = vec![
        span(1, 0, "service-a POST /messages", Kind::Server, 0, 1_000),
        span(2, 1, "outbox deliver", Kind::Producer, 5_000, 400),
    ];
    assert_eq!(shift_of(&tree(spans), 2), 0);
}

#[test]
fn clocks_that_agree_are_left_alone() {
    let tree = tree(hop());
    assert!(tree.spans().all(|placed| placed.shift == 0));
}

#[test]
fn ten_thousand_levels_do_not_exhaust_the_stack() {
    let spans = (1..=10_000).map(|id| span(id, id - 1, "a deep", Kind::Internal, id, 1)).collect();
    let tree = tree(spans);
    assert_eq!(tree.rows.last().unwrap().depth, 9_999);
}

#[test]
fn children_are_those_right_below() {
    let tree = tree(hop());
    let below: Vec<String> = tree.children(1).map(|placed| placed.span.title()).collect();
    assert_eq!(below, ["service-a GET /service-b"]);
}

#[test]
fn an_empty_trace_is_an_empty_tree() {
    let tree = tree(Vec::new());
    assert!(tree.rows.is_empty());
    assert_eq!(tree.bounds(), (0, 0));
}
