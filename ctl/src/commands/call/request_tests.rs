use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};
use crate::error::ExitCode;

fn outgoing(args: &[&str]) -> Result<Outgoing, Error> {
    let cli = Cli::try_parse_from(["msctl", "call"].iter().chain(args)).unwrap();
    let Command::Call(args) = cli.command else { panic!("another verb") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Outgoing::from_args(&args, &Stage::default()))
}

/// The error of a command line that sends nothing.
fn refused(args: &[&str]) -> String {
    let error = outgoing(args).unwrap_err();
    assert_eq!(error.code(), ExitCode::Usage, "{error}");
    error.to_string()
}

fn sent(args: &[&str], header: &str) -> Vec<String> {
    let headers = outgoing(args).unwrap().headers;
    headers.get_all(header).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_target_alone_is_a_get_without_a_body() {
    let outgoing = outgoing(&["service-a/x"]).unwrap();
    assert_eq!((outgoing.method, outgoing.body.len()), (Method::GET, 0));
    assert_eq!(outgoing.target.path, "/x");
    assert!(!outgoing.headers.contains_key(CONTENT_TYPE));
}

#[test]
fn data_is_posted_as_json() {
    let outgoing = outgoing(&["service-a", "-d", r#"{"key":"value"}"#]).unwrap();
    assert_eq!(outgoing.method, Method::POST);
    assert_eq!(outgoing.headers[CONTENT_TYPE], "application/json");
    assert_eq!(outgoing.body, r#"{"key":"value"}"#);
}

#[test]
fn a_method_is_sent_as_it_was_given() {
    assert_eq!(outgoing(&["a", "-X", "PUT", "-d", "1"]).unwrap().method, Method::PUT);
    assert_eq!(outgoing(&["a", "-X", "REPORT"]).unwrap().method.as_str(), "REPORT");
    for (method, reason) in [("GET /", "no method"), ("CONNECT", "tunnel")] {
        let text = refused(&["a", "-X", method]);
        assert!(text.contains(reason) && text.contains("next: use a word such as GET"), "{text}");
    }
}

#[test]
fn a_body_that_was_given_has_a_type_also_when_it_is_empty() {
    for data in ["", "@/dev/null"] {
        let outgoing = outgoing(&["a", "-d", data]).unwrap();
        assert_eq!((outgoing.method, outgoing.body.len()), (Method::POST, 0), "{data}");
        assert_eq!(outgoing.headers[CONTENT_TYPE], "application/json", "{data}");
    }
    assert_eq!(sent(&["a", "-d", "", "-H", "content-type:"], "content-type"), [""; 0]);
}

#[test]
fn a_body_that_is_no_json_is_refused_with_its_place_and_the_way_out() {
    let text = refused(&["a", "-d", "{\"key\":\n oops}"]);
    assert!(text.contains("line 2, column 2"), "{text}");
    assert!(text.contains("--header 'content-type: text/plain'"), "{text}");
}

#[test]
fn a_body_of_another_type_is_sent_as_it_is() {
    let outgoing = outgoing(&["a", "-d", "not json", "-H", "Content-Type: text/plain"]).unwrap();
    assert_eq!(outgoing.body, "not json");
    assert!(
        refused(&["a", "-d", "not json", "-H", "content-type: application/cloudevents+json; charset=utf-8"])
            .contains("no JSON")
    );
}

#[test]
fn headers_replace_add_and_leave_out() {
    assert_eq!(sent(&["a"], "accept"), ["*/*"]);
    assert_eq!(sent(&["a", "-H", "Accept: text/html"], "accept"), ["text/html"]);
    assert_eq!(sent(&["a", "-H", "accept:"], "accept"), [""; 0]);
    assert_eq!(sent(&["a", "-H", "x-empty;"], "x-empty"), [""]);
    assert_eq!(sent(&["a", "-H", "x: 1", "-H", "X: 2"], "x"), ["1", "2"]);
    assert_eq!(sent(&["a", "-H", "authorization: Bearer a:b"], "authorization"), ["Bearer a:b"]);
    assert_eq!(sent(&["a", "-H", "host: other"], "host"), ["other"]);
}

#[test]
fn headers_that_break_the_message_are_refused() {
    for (header, reason) in [
        ("no colon", "no `:`"),
        (": value", "its name"),
        ("bad name: x", "its name"),
        ("x: a\u{7f}b", "its value"),
        ("x: a\r\ny: b", "its value"),
        ("Content-Length: 5", "written by msctl"),
        ("transfer-encoding: chunked", "written by msctl"),
        ("host:", "malformed"),
    ] {
        let text = refused(&["a", "-H", header]);
        assert!(text.contains(reason), "{header:?}: {text}");
    }
}

#[test]
fn a_body_comes_from_a_file_and_a_missing_file_is_named() {
    let path = std::env::temp_dir().join(format!("msctl-body-{}.json", std::process::id()));
    std::fs::write(&path, "{\"from\":\"file\"}\n").unwrap();
    let data = format!("@{}", path.display());
    let body = outgoing(&["a", "-d", &data]).unwrap().body;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(body, "{\"from\":\"file\"}\n");
    let text = refused(&["a", "-d", &data]);
    assert!(text.contains(&path.display().to_string()) && text.contains("next: --data @FILE"), "{text}");
}

#[test]
fn a_target_that_is_none_says_what_a_target_is() {
    let text = refused(&["https://service-a/"]);
    assert!(text.contains("https is not spoken") && text.contains("next:"), "{text}");
    assert!(refused(&["service-a:99999"]).contains("port `99999`"));
}

#[test]
fn async_is_a_preference_beside_those_that_were_given() {
    assert_eq!(sent(&["a", "-d", "{}", "--async"], "prefer"), ["respond-async"]);
    assert_eq!(sent(&["a", "-X", "POST", "--async", "-H", "prefer: wait=2"], "prefer"), ["wait=2", "respond-async"]);
    assert_eq!(sent(&["a", "-d", "{}"], "prefer"), [""; 0]);
    assert!(refused(&["a", "--async"]).contains("no sense with GET"));
}

#[test]
fn a_question_is_asked_as_the_caller_and_has_nothing_of_the_first_request_alone() {
    let given = ["authorization: Bearer x", "accept: application/json", "host: a.example", "traceparent: t"];
    let left_out = ["idempotency-key: k", "content-encoding: br", "if-match: x", "range: bytes=0-1", "expect: x"];
    let mut args = vec!["a:81/messages?x=1", "-d", "{}", "--async"];
    args.extend(given.iter().chain(&left_out).flat_map(|header| ["-H", header]));
    let question = outgoing(&args).unwrap().question("/messages/7".to_owned());
    assert_eq!((question.method, question.body.len()), (Method::GET, 0));
    assert_eq!((question.target.path.as_str(), question.target.port), ("/messages/7", Some(81)));
    let mut names: Vec<&str> = question.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "host", "traceparent", "user-agent"]);
}
