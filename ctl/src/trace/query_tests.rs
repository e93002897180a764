use std::convert::Infallible;

use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::super::samples::trace_id;
use super::*;

/// A Jaeger that gives one answer to whatever it is asked, and says what that was.
async fn jaeger(status: u16, body: &'static str) -> (QueryApi<HttpConnector>, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, questions) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let asked = asked.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                asked.try_send(request.uri().to_string()).unwrap();
                let response = Response::builder().status(status).body(Full::new(Bytes::from_static(body.as_bytes())));
                async move { Ok::<_, Infallible>(response.unwrap()) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(connection);
        }
    });
    (QueryApi::new(HttpConnector::new(), address.to_string()), questions)
}

const FOUND: &str = r#"{"data":[
    {"traceID":"1","spans":[{"spanID":"1","operationName":"x","startTime":5,"duration":1}]},
    {"traceID":"2","spans":[{"spanID":"2","operationName":"x","startTime":9,"duration":1}]},
    {"traceID":"3","spans":[]}
]}"#;
const NOT_FOUND: &str = r#"{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}"#;

#[tokio::test]
async fn a_trace_is_asked_for_by_its_id() {
    let (api, mut questions) = jaeger(200, FOUND).await;
    let id: TraceId = "2".parse().unwrap();
    let trace = api.trace(id).await.unwrap().unwrap();
    assert_eq!((trace.id, trace.spans.len()), (id, 1));
    assert_eq!(questions.recv().await.unwrap(), "/api/traces/00000000000000000000000000000002?raw=true");
}

#[tokio::test]
async fn a_trace_that_is_not_there_is_no_error() {
    let (api, _questions) = jaeger(404, NOT_FOUND).await;
    assert!(api.trace(trace_id()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_latest_trace_is_the_one_that_began_last() {
    let (api, mut questions) = jaeger(200, FOUND).await;
    let trace = api.latest("my service&x").await.unwrap().unwrap();
    assert_eq!(trace.id, "2".parse().unwrap());
    assert_eq!(questions.recv().await.unwrap(), "/api/traces?service=my%20service%26x&limit=20&raw=true");
}

#[tokio::test]
async fn an_error_of_jaeger_is_passed_on_in_its_words() {
    let body = r#"{"data":null,"errors":[{"code":500,"msg":"storage is away"}]}"#;
    let (api, _questions) = jaeger(500, body).await;
    let error = api.trace(trace_id()).await.unwrap_err().to_string();
    assert!(error.ends_with("answered 500 Internal Server Error: storage is away"), "{error}");
}

#[tokio::test]
async fn something_else_than_jaeger_is_recognised() {
    let (api, _questions) = jaeger(200, "Hello, World!").await;
    let error = api.services().await.unwrap_err();
    assert!(matches!(error, QueryError::Foreign { .. }), "{error}");
    let (api, _questions) = jaeger(404, "404 page not found\n").await;
    assert!(api.trace(trace_id()).await.unwrap_err().to_string().ends_with("404 Not Found: 404 page not found"));
    let problem = r#"{"type":"about:blank","title":"Not Found","status":404}"#;
    let (api, _questions) = jaeger(404, problem).await;
    assert!(matches!(api.trace(trace_id()).await.unwrap_err(), QueryError::Refused { .. }));
    let (api, _questions) = jaeger(405, "<html>no</html>").await;
    assert!(api.services().await.unwrap_err().to_string().ends_with("405 Method Not Allowed: <html>no</html>"));
}

#[tokio::test]
async fn nobody_at_the_address_is_said_with_the_address() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let api = QueryApi::new(HttpConnector::new(), free.to_string());
    let error = api.services().await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot ask Jaeger at {free}"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Closed with the question unread, the connection would be reset before its answer is read.
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":").await.unwrap();
    });
    let api = QueryApi::new(HttpConnector::new(), address.to_string());
    assert!(matches!(api.services().await.unwrap_err(), QueryError::Broken { .. }));
}
