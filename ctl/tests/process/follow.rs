//! `msctl call --async --follow`: exit codes, streams, signals.

use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use crate::service::{Service, answer, header};
use crate::{code, ended, msctl, send, stderr};

const PENDING: &str =
    r#"{"id":"7","state":"pending","attempts":2,"last_error":"service-b answered 503","body":{"key":"value"}}"#;
const DELIVERED: &str = r#"{"id":"7","state":"delivered","attempts":3,"body":{"key":"value"}}"#;
const DEAD: &str = r#"{"id":"7","state":"dead","attempts":4,"last_error":"service-b answered 422","body":{}}"#;

/// A service that takes a message and answers these, one after the other, when it is asked for it.
fn taking(then: Vec<String>) -> Service {
    let headers = "location: /messages/7\r\npreference-applied: respond-async\r\n";
    Service::start(vec![("/messages/7", then), ("/messages", vec![answer("202 Accepted", headers, PENDING)])])
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

fn start(service: &Service, args: &[&str]) -> Child {
    let url = format!("http://127.0.0.1:{}/messages", service.port);
    let mut command = msctl(&["call", &url, "-d", r#"{"key":"value"}"#, "--via", "direct", "--follow"]);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn follow(service: &Service, args: &[&str]) -> Output {
    start(service, args).wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_delivered_message_is_the_only_result_and_done() {
    let service = taking(vec![ok(PENDING), ok(PENDING), ok(DELIVERED)]);
    let output = follow(&service, &["--async"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, DELIVERED), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    assert_eq!(header(&service.requests()[0], "prefer"), Some("respond-async"));
}

#[test]
fn a_service_that_does_not_answer_early_is_told_of_and_done_all_the_same() {
    let created = answer("201 Created", "location: /messages/7\r\n", DELIVERED);
    let service = Service::start(vec![("/messages", vec![created])]);
    let output = follow(&service, &["--async"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, DELIVERED));
    assert!(stderr(&output).contains("answered synchronously (201 Created"), "{}", stderr(&output));
}

#[test]
fn a_dead_message_is_a_result_and_an_error_of_the_service() {
    let service = taking(vec![ok(PENDING), ok(DEAD)]);
    let output = follow(&service, &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (5, DEAD));
    let redeliver = format!("next: msctl call -X POST http://127.0.0.1:{}/messages/7/redeliver", service.port);
    assert!(stderr(&output).contains("why: service-b answered 422"), "{}", stderr(&output));
    assert!(stderr(&output).contains(&redeliver), "{}", stderr(&output));
}

#[test]
fn a_message_that_is_late_is_a_deadline_with_the_command_to_look_later() {
    let service = taking(vec![ok(PENDING)]);
    let output = follow(&service, &["--timeout", "2s"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (70, PENDING));
    let text = stderr(&output);
    assert!(text.contains("following message 7: pending; 2 attempts; service-b answered 503\n"), "live: {text}");
    assert!(text.contains("error: calling") && text.contains("not done within 2s"), "{text}");
    assert!(
        text.contains(&format!("next: msctl call http://127.0.0.1:{}/messages/7 --follow\n", service.port)),
        "{text}"
    );
    assert!(!text.contains("--timeout"), "{text}");
}

#[test]
fn ctrl_c_ends_the_wait_and_not_the_message() {
    let service = taking(vec![ok(PENDING)]);
    let child = start(&service, &["--timeout", "60s"]);
    service.wait_for(3);
    let signalled = Instant::now();
    send(&child, "INT");
    let output = ended(child);
    assert_eq!((code(&output), stdout(&output).as_str()), (130, PENDING));
    assert!(signalled.elapsed() < Duration::from_secs(2), "{:?}", signalled.elapsed());
    let text = stderr(&output);
    assert!(
        text.contains("error: interrupted") && text.contains("message 7 is pending; it goes on without msctl"),
        "{text}"
    );
    assert!(text.contains("why: it was following message 7: pending"), "{text}");
    let next = format!("next: msctl call http://127.0.0.1:{}/messages/7 --follow\n", service.port);
    assert!(text.contains(&next), "{text}");
}

#[test]
fn a_location_that_is_missing_or_elsewhere_is_said_and_the_answer_printed() {
    for (headers, reason) in [
        ("", "it answered 202 Accepted without a Location"),
        ("location: http://elsewhere.example/messages/7\r\n", "another host, elsewhere.example"),
        ("location: https://127.0.0.1/messages/7\r\n", "scheme `https` is not spoken here"),
    ] {
        let service = Service::start(vec![("/messages", vec![answer("202 Accepted", headers, PENDING)])]);
        let output = follow(&service, &[]);
        assert_eq!((code(&output), stdout(&output).as_str()), (1, PENDING), "{headers}");
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
}

#[test]
fn a_service_that_is_busy_while_it_is_asked_is_waited_for() {
    let busy = answer("503 Service Unavailable", "retry-after: 1\r\n", "busy");
    let service = taking(vec![busy, ok(DELIVERED)]);
    let began = Instant::now();
    let output = follow(&service, &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, DELIVERED), "{}", stderr(&output));
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(service.requests().len(), 3);
}

#[test]
fn a_reader_that_went_away_is_no_error_and_the_outcome_still_counts() {
    for (last, expected) in [(DELIVERED, 0), (DEAD, 5)] {
        let service = taking(vec![ok(PENDING), ok(last)]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let url = format!("http://127.0.0.1:{}/messages", service.port);
        let mut command = msctl(&["call", &url, "-d", "{}", "--via", "direct", "--follow"]);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        assert_eq!(stderr(&output).is_empty(), expected == 0, "{}", stderr(&output));
    }
}

#[test]
fn the_tree_is_asked_for_once_the_message_has_arrived_and_holds_none_of_the_questions() {
    let headers = "location: /messages/7\r\n";
    let service = Service::start(vec![
        ("/messages/7", vec![ok(PENDING), ok(PENDING), ok(DELIVERED)]),
        ("/messages", vec![answer("202 Accepted", headers, PENDING)]),
        ("/v1/traces", vec![ok("{}")]),
        ("/api/traces/", vec![ok(r#"{"data":[]}"#)]),
    ]);
    let jaeger = format!("localhost:{}", service.port);
    let exported = format!("http://127.0.0.1:{}", service.port);
    let url = format!("http://127.0.0.1:{}/messages", service.port);
    let mut command = msctl(&["call", &url, "-d", "{}", "--via", "direct", "--follow", "--trace"]);
    command.args(["--jaeger", &jaeger, "--trace-timeout", "1s"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", exported);
    let output = command.output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).starts_with(DELIVERED), "{}", stdout(&output));

    let requests = service.requests();
    let parent = |request: &String| header(request, "traceparent").unwrap_or_default().to_owned();
    let posted = parent(&requests[0]);
    assert!(posted.ends_with("-01"), "{posted}");
    let questions: Vec<&String> = requests.iter().filter(|request| request.starts_with("GET /messages/7")).collect();
    assert_eq!(questions.len(), 3);
    for question in questions {
        let asked = parent(question);
        assert!(asked.ends_with("-00") && asked[..35] == posted[..35], "{asked} after {posted}");
    }
    let first = |begin: &str| requests.iter().position(|request| request.starts_with(begin)).unwrap();
    let last_question = requests.iter().rposition(|request| request.starts_with("GET /messages/7")).unwrap();
    assert!(first("GET /api/traces/") > last_question, "{requests:?}");
}

#[test]
fn asking_for_an_early_answer_to_a_question_is_a_usage_error() {
    let output = msctl(&["call", "service-a", "--async"]).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--async makes no sense with GET"), "{}", stderr(&output));
}
