//! The seed's table, to the byte, and what is answered to everything else.

use crate::support::{ask, serve_a};
use http::Uri;

const NOBODY: &str = "http://127.0.0.1:1";

fn post(kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn the_seeds_requests_have_the_seeds_answers_to_the_byte() {
    let a = serve_a(Uri::from_static(NOBODY)).await;
    let hello = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\nconnection: close\r\ndate: \r\n\r\nHello, World!";
    let requests = [
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(),
        post("application/json", r#"{"key":"value"}"#),
        post("application/json; charset=utf-8", "[1, null]"),
        post("application/merge-patch+json", "\"text\""),
    ];
    for request in requests {
        assert_eq!(ask(a, &request).await.without_date(), hello, "{request}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let a = serve_a(Uri::from_static(NOBODY)).await;
    let answer = ask(a, "HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(
        answer.without_date(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\nconnection: close\r\ndate: \r\n\r\n"
    );
}

#[tokio::test]
async fn malformed_json_is_400_and_another_content_type_415_with_what_is_taken() {
    let a = serve_a(Uri::from_static(NOBODY)).await;
    for malformed in ["", "{", r#"{"key":}"#, "hello", "{}{}"] {
        ask(a, &post("application/json", malformed)).await.is_problem(400, "not JSON");
    }
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = ask(a, &post(other, "{}")).await;
        answer.is_problem(415, other);
        assert_eq!(answer.header("accept"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413() {
    let a = serve_a(Uri::from_static(NOBODY)).await;
    let largest = format!("\"{}\"", "x".repeat(64 * 1024 - 2));
    assert_eq!(ask(a, &post("application/json", &largest)).await.status(), 200);
    let larger = format!("\"{}\"", "x".repeat(64 * 1024 - 1));
    ask(a, &post("application/json", &larger)).await.is_problem(413, "65536");
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told_apart() {
    let a = serve_a(Uri::from_static(NOBODY)).await;
    ask(a, "GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.is_problem(404, "/nowhere");
    for (path, method, allow) in
        [("/", "PUT", "GET,HEAD,POST"), ("/", "OPTIONS", "GET,HEAD,POST"), ("/service-b", "POST", "GET,HEAD")]
    {
        let answer = ask(a, &format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        answer.is_problem(405, method);
        assert_eq!(answer.header("allow"), Some(allow));
    }
}
