//! The hop from A to B: B there, B away, B slow, B in trouble.

use std::time::Duration;

use crate::support::{ask, authority, serve_a, serve_a_waiting, stand_in};

const CALL: &str = "GET /service-b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn bs_answer_is_passed_on_with_its_content_type() {
    let b = stand_in(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 16\r\nx-own: 1\r\n\r\nHello, ServiceB!",
    )
    .await;
    let a = serve_a(authority(b)).await;
    assert_eq!(
        ask(a, CALL).await.without_date(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 16\r\nconnection: close\r\ndate: \r\n\r\nHello, ServiceB!"
    );
}

#[tokio::test]
async fn b_away_is_502_that_names_it() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let a = serve_a(authority(gone)).await;
    let answer = ask(a, CALL).await;
    answer.is_problem(502, "service-b did not answer: can't connect");
    assert!(!answer.without_date().contains(&gone.to_string()), "where B is, is not the client's: {answer:?}");
}

#[tokio::test]
async fn b_slow_is_504_that_names_it() {
    // Accepts, and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let a = serve_a_waiting(authority(silent.local_addr().unwrap()), Duration::from_millis(300)).await;
    ask(a, CALL).await.is_problem(504, "service-b did not answer");
}

#[tokio::test]
async fn an_error_of_bs_is_502_with_its_status() {
    let b = stand_in("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    let a = serve_a(authority(b)).await;
    ask(a, CALL).await.is_problem(502, "answered 503 Service Unavailable");
}

#[tokio::test]
async fn an_answer_of_bs_that_is_too_large_or_no_http_is_502() {
    let b = stand_in("HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n").await;
    let a = serve_a(authority(b)).await;
    ask(a, CALL).await.is_problem(502, "too large");

    let b = stand_in("220 mail.example ESMTP\r\n").await;
    let a = serve_a(authority(b)).await;
    ask(a, CALL).await.is_problem(502, "not HTTP");
}

#[tokio::test]
async fn b_gets_the_trace_of_the_callers_request() {
    let _entered = crate::support::telemetry().enter();
    let (b, mut requests) = crate::support::recorder().await;
    let a = serve_a(authority(b)).await;
    let (trace, caller) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

    ask(
        a,
        &format!(
            "GET /service-b HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntraceparent: 00-{trace}-{caller}-01\r\n\
             tracestate: vendor=1\r\n\r\n"
        ),
    )
    .await;

    let request = requests.recv().await.unwrap();
    assert!(request.contains(&format!("traceparent: 00-{trace}-")), "{request}");
    assert!(!request.contains(caller), "B's parent is A's call, not A's caller: {request}");
    assert!(request.contains("tracestate: vendor=1\r\n"), "{request}");
    assert!(request.contains("user-agent: service-a/"), "{request}");
}
