use super::super::samples::{POD_A, POD_B, hop, message, span, tree};
use super::super::{Kind, Letters};
use super::*;

const WIDE: Screen = Screen { width: Some(120), letters: Letters::Unicode, colour: false };

fn drawn(spans: Vec<Span>, screen: Screen) -> String {
    render(&tree(spans), screen)
}

#[test]
fn a_whole_hop_on_a_wide_terminal() {
    insta::assert_snapshot!(drawn(hop(), WIDE));
}

#[test]
fn a_whole_hop_in_eighty_cells() {
    insta::assert_snapshot!(drawn(hop(), Screen { width: Some(80), ..WIDE }));
}

#[test]
fn a_whole_hop_without_a_terminal() {
    insta::assert_snapshot!(drawn(hop(), Screen { width: None, ..WIDE }));
}

#[test]
fn a_whole_hop_in_ascii() {
    let text = drawn(hop(), Screen { letters: Letters::Ascii, ..WIDE });
    assert!(text.is_ascii());
    insta::assert_snapshot!(text);
}

#[test]
fn spans_whose_parents_have_not_arrived() {
    let mut spans = hop();
    spans.remove(3);
    spans.push(span(6, 99, "service-c GET /other", Kind::Server, 30_000, 500).answered(200));
    insta::assert_snapshot!(drawn(spans, WIDE));
}

#[test]
fn failed_spans_are_marked_and_say_why() {
    let spans = vec![
        span(1, 0, "msctl call", Kind::Internal, 0, 12_000),
        span(2, 1, "msctl GET", Kind::Client, 1_000, 11_000).answered(502).failed_with("502"),
        span(3, 2, "service-a GET /service-b", Kind::Server, 2_000, 9_000)
            .answered(502)
            .failed_with("service-b is not reachable")
            .on(POD_A, "0.1.0"),
        span(4, 3, "service-a GET", Kind::Client, 2_500, 1_000).failed_with("connection refused").on(POD_A, "0.1.0"),
        span(5, 3, "service-a GET", Kind::Client, 4_500, 6_000).failed_with("connection refused").on(POD_A, "0.1.0"),
    ];
    insta::assert_snapshot!(drawn(spans, WIDE));
}

#[test]
fn spans_that_took_no_time() {
    let spans = vec![
        span(1, 0, "a root", Kind::Server, 0, 0),
        span(2, 1, "a inner", Kind::Internal, 0, 0),
        span(3, 1, "b inner", Kind::Server, 0, 0).on(POD_B, "0.1.0"),
    ];
    insta::assert_snapshot!(drawn(spans, WIDE));
}

#[test]
fn names_longer_than_the_terminal() {
    let name = "a-service-with-a-long-name GET /a/very/long/{route}/with/{many}/segments/{and}/{more}/of/them";
    let spans = vec![
        span(1, 0, "msctl call", Kind::Internal, 0, 1_000),
        span(2, 1, name, Kind::Server, 100, 800).answered(200).on(&"p".repeat(63), "2024.11.22-4f2a9c1"),
    ];
    insta::assert_snapshot!(drawn(spans, Screen { width: Some(80), ..WIDE }));
}

#[test]
fn names_of_wide_letters_line_up() {
    let spans = vec![
        span(1, 0, "注文 POST /注文/{番号}", Kind::Server, 0, 2_000).answered(201).on("注文-6b7f9c5d8d-x2x4z", "一"),
        span(2, 1, "büro GET /größe", Kind::Server, 500, 1_000).answered(200).on("büro-7c9d8f6b5-q8w7e", "0.1.0"),
    ];
    insta::assert_snapshot!(drawn(spans, WIDE));
}

#[test]
fn a_clock_that_differs_is_said() {
    let spans = vec![
        span(1, 0, "msctl GET", Kind::Client, 0, 10_000).answered(200),
        span(2, 1, "service-a GET /", Kind::Server, 2_500_000, 4_000).answered(200).on(POD_A, "0.1.0"),
    ];
    insta::assert_snapshot!(drawn(spans, WIDE));
}

#[test]
fn more_than_two_hundred_spans_are_all_shown() {
    let mut spans = vec![span(1, 0, "msctl call", Kind::Internal, 0, 240_000)];
    for id in 2..=240 {
        // Every tenth begins a new branch below the root.
        let parent = if id % 10 == 2 { 1 } else { id - 1 };
        spans.push(span(id, parent, &format!("service-{} step {id}", id % 3), Kind::Internal, id * 900, 9_000));
    }
    let text = drawn(spans, WIDE);
    assert_eq!(text.lines().count(), 3 + 240);
    insta::assert_snapshot!(text);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut spans: Vec<Span> =
        (1..=120).map(|id| span(id, id - 1, "service-a a deep chain of work", Kind::Internal, id, 500)).collect();
    spans[60] = spans[60].clone().failed_with(&"very long reason ".repeat(20));
    for width in [20, 40, 80, 100, 132, 200] {
        let text = drawn(spans.clone(), Screen { width: Some(width), ..WIDE });
        // The summary holds the id in full: it is there to be copied.
        for line in text.lines().skip(1) {
            assert!(text::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colour_marks_what_failed_and_changes_no_letter() {
    let spans = || vec![span(1, 0, "a GET /", Kind::Server, 0, 10).answered(500).failed_with("boom")];
    let coloured = drawn(spans(), Screen { colour: true, ..WIDE });
    assert!(coloured.contains("\u{1b}[31m"));
    let bare = coloured.replace("\u{1b}[31m", "").replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
    assert_eq!(bare, drawn(spans(), WIDE));
}

#[test]
fn a_name_can_not_move_the_cursor() {
    let spans = vec![span(1, 0, "a \u{1b}[2J", Kind::Server, 0, 10).failed_with("x\u{1b}]0;y\u{7}")];
    assert!(!drawn(spans, WIDE).contains('\u{1b}'));
}

#[test]
fn an_empty_trace_is_its_summary() {
    assert_eq!(drawn(Vec::new(), WIDE), "trace 4bf92f3577b34da6a3ce929d0e0e4736 · 0 spans · 0 services · 0 µs\n");
}

#[test]
fn a_message_with_its_delivery_and_both_databases() {
    insta::assert_snapshot!(drawn(message(), WIDE));
}

#[test]
fn a_message_in_eighty_cells_of_ascii() {
    let text = drawn(message(), Screen { width: Some(80), letters: Letters::Ascii, colour: false });
    assert!(text.is_ascii());
    insta::assert_snapshot!(text);
}

#[test]
fn the_commit_of_a_batch_says_how_many_writes_it_held() {
    let commit = span(9, 0, "service-a COMMIT batch", Kind::Internal, 0, 3_100)
        .on_database("sqlite")
        .with("db.operation.batch.size", 12);
    assert!(drawn(vec![commit], WIDE).contains("service-a COMMIT batch (sqlite, batch of 12)"));
}

#[test]
fn a_statement_that_failed_shows_the_databases_code() {
    let failed = span(1, 0, "service-a INSERT messages", Kind::Client, 0, 100)
        .on_database("postgresql")
        .with("db.response.status_code", "57P03")
        .failed_with("the database is starting");
    let text = drawn(vec![failed], WIDE);
    assert!(text.contains("✗ 57P03") && text.contains("✗ the database is starting"), "{text}");
}

#[test]
fn a_trace_that_many_spans_are_linked_to_is_named_once_and_many_traces_are_counted() {
    let linked = |id: u64, trace: u64| {
        span(id, 0, "a UPDATE messages", Kind::Client, id, 5).linked(&format!("{trace:032x}"), id)
    };
    let own = span(9, 0, "a own", Kind::Internal, 9, 5).linked("4bf92f3577b34da6a3ce929d0e0e4736", 1);
    let text = drawn(vec![linked(1, 77), linked(2, 77), own.clone()], WIDE);
    assert_eq!(text.matches("linked:").count(), 1, "{text}");
    let text = drawn((1..=9).map(|id| linked(id, id)).collect(), WIDE);
    assert_eq!(text.matches("linked: trace").count(), 3, "{text}");
    assert!(text.contains("linked: 6 more") && text.contains("-o json"), "{text}");
    assert!(!drawn(vec![own], WIDE).contains("linked"), "it is in the tree above");
}
