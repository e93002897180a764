//! Calls against servers that behave, and against some that don't.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::Service as _;
use upstream::{Client, Config, HttpConnector, Kind};

/// Nothing here may take longer; what does has failed.
const PATIENCE: Duration = Duration::from_secs(10);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    fn both(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

/// Serves each connection, numbered from 1, with `serve`, which reads requests by [`read`].
async fn server<F, S>(serve: F) -> (SocketAddr, Arc<Seen>)
where
    F: Fn(TcpStream, usize, Arc<Seen>) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let shared = seen.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(serve(socket, number, shared.clone()));
        }
    });
    (address, seen)
}

/// One request, as text; `None` when the client has closed.
async fn read(socket: &mut TcpStream, seen: &Seen) -> Option<String> {
    let mut bytes = vec![0; 65_536];
    let length = socket.read(&mut bytes).await.ok().filter(|length| *length > 0)?;
    seen.requests.fetch_add(1, Ordering::SeqCst);
    bytes.truncate(length);
    Some(String::from_utf8(bytes).unwrap())
}

async fn keeps(mut socket: TcpStream, _number: usize, seen: Arc<Seen>) {
    while read(&mut socket, &seen).await.is_some() {
        socket.write_all(OK.as_bytes()).await.unwrap();
    }
}

fn request(method: Method, address: SocketAddr) -> Request<Bytes> {
    Request::builder().method(method).uri(format!("http://{address}/")).body(Bytes::new()).unwrap()
}

fn client(change: impl FnOnce(&mut Config)) -> Client {
    let mut config = Config { timeout: Duration::from_secs(5), ..Config::default() };
    change(&mut config);
    Client::new(config)
}

/// One whole call.
async fn call(client: &Client, method: Method, address: SocketAddr) -> Result<StatusCode, upstream::Error> {
    let (head, body) = client.send(request(method, address)).await?.into_parts();
    body.bytes(1024).await?;
    Ok(head.status)
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn calls_share_a_kept_connection() {
    let (address, seen) = server(keeps).await;
    let client = client(|_| {});
    for _ in 0..20 {
        assert_eq!(call(&client, Method::GET, address).await.unwrap(), StatusCode::OK);
    }
    assert_eq!(seen.both(), (1, 20));
}

#[tokio::test]
async fn a_connection_that_is_too_old_is_replaced() {
    let (address, seen) = server(keeps).await;
    let client = client(|config| config.max_connection_age = Duration::ZERO);
    for _ in 0..5 {
        call(&client, Method::GET, address).await.unwrap();
    }
    assert_eq!(seen.both(), (5, 5));
}

/// Reads a request and closes without an answer, on every connection but the last.
async fn closes_first(mut socket: TcpStream, number: usize, seen: Arc<Seen>) {
    if read(&mut socket, &seen).await.is_some() && number > 1 {
        socket.write_all(OK.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn an_idempotent_request_survives_a_connection_that_breaks() {
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (address, seen) = server(closes_first).await;
        assert_eq!(call(&client(|_| {}), method, address).await.unwrap(), StatusCode::OK);
        assert_eq!(seen.both(), (2, 2));
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_worked_on_is_not_sent_twice() {
    for method in [Method::POST, Method::PATCH] {
        let (address, seen) = server(closes_first).await;
        let error = call(&client(|_| {}), method, address).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Broken, "{}", error.report());
        assert_eq!(seen.both(), (1, 1));
    }
}

#[tokio::test]
async fn a_post_is_sent_again_when_nothing_of_it_was_sent() {
    let (address, seen) = server(keeps).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let connector = {
        let tries = tries.clone();
        // Refused at the first try.
        tower::service_fn(move |uri: Uri| {
            let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
                }
                HttpConnector::new().call(uri).await.map_err(io::Error::other)
            }
        })
    };
    let client = Client::with_connector(Config::default(), connector);

    let answer = client.send(request(Method::POST, address)).await.unwrap();

    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    assert_eq!(seen.both(), (1, 1));
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_in_time_is_no_connection() {
    let connector = tower::service_fn(async |_: Uri| {
        std::future::pending::<()>().await;
        Err::<TokioIo<TcpStream>, _>(io::Error::other("never"))
    });
    let config = Config { connect_timeout: Duration::from_millis(50), max_retries: 0, ..Config::default() };

    let error = Client::with_connector(config, connector)
        .send(request(Method::GET, "192.0.2.1:80".parse().unwrap()))
        .await
        .unwrap_err();

    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.report().ends_with("no connection within 50ms"), "{}", error.report());
}

#[tokio::test]
async fn a_dead_upstream_is_told_with_its_cause_and_gets_no_more_than_the_budget() {
    let address = nobody().await;
    let client = client(|config| {
        config.budget.reserve = 1;
        config.budget.percent = 0;
    });
    let error = call(&client, Method::GET, address).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(!error.is_timeout());
    let told = error.report();
    assert!(told.starts_with(&format!("GET http://{address}/: can't connect: ")), "{told}");
    assert!(told.contains("refused"), "{told}");

    // Every connection of this one is closed at once: each attempt is seen.
    let (address, seen) = server(async |_, _, _| {}).await;
    for _ in 0..10 {
        call(&client, Method::GET, address).await.unwrap_err();
    }
    assert_eq!(seen.both().0, 10, "the one retry was spent on the first upstream");
}

#[tokio::test]
async fn the_deadline_holds_for_the_head_and_for_the_body() {
    // Long enough for a busy machine to connect and to send.
    let deadline = Duration::from_secs(2);
    let short = |config: &mut Config| config.timeout = deadline;
    let silent = async |mut socket: TcpStream, _, seen: Arc<Seen>| while read(&mut socket, &seen).await.is_some() {};
    let (address, seen) = server(silent).await;
    let begun = Instant::now();
    let error = timeout(PATIENCE, call(&client(short), Method::GET, address)).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{}", error.report());
    assert!(begun.elapsed() >= deadline, "{:?}", begun.elapsed());
    assert_eq!(seen.both(), (1, 1));

    let stalling = async |mut socket: TcpStream, _, seen: Arc<Seen>| {
        while read(&mut socket, &seen).await.is_some() {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no").await.unwrap();
        }
    };
    let (address, _) = server(stalling).await;
    let error = timeout(PATIENCE, call(&client(short), Method::GET, address)).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{}", error.report());
}

#[tokio::test]
async fn an_answer_larger_than_the_caller_takes_is_an_error_announced_or_not() {
    for head in ["content-length: 2000", "connection: close"] {
        let large = move |mut socket: TcpStream, _, seen: Arc<Seen>| async move {
            if read(&mut socket, &seen).await.is_some() {
                let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{}", "x".repeat(2000));
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        };
        let (address, _) = server(large).await;
        let error = call(&client(|_| {}), Method::GET, address).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge, "{}", error.report());
        assert!(error.report().contains("more than 1024 bytes"));
    }
}

#[tokio::test]
async fn urls_that_cant_be_called_are_told() {
    let client = client(|_| {});
    for (url, told) in [("service-b", "no scheme"), ("https://service-b/", "only http"), ("/path", "no scheme")] {
        let error = client.send(Request::get(url).body(Bytes::new()).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Url);
        assert!(error.report().contains(told), "{}", error.report());
    }
    let error = upstream::send_request("http://a b/", Method::GET, None).await.unwrap_err();
    assert_eq!((error.kind(), error.url()), (Kind::Url, "http://a b/"));
}

/// Answers with the request it got, as a JSON string.
async fn echoes(mut socket: TcpStream, _number: usize, seen: Arc<Seen>) {
    while let Some(request) = read(&mut socket, &seen).await {
        let body = json!(request).to_string();
        let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn the_seeds_client_sends_json_and_reads_the_whole_answer() {
    let (address, _) = server(echoes).await;
    let url = format!("http://{address}/messages?x=1");

    let answer = upstream::send_request(&url, Method::POST, Some(&json!({"key": "value"}))).await.unwrap();

    assert_eq!(answer.status, StatusCode::CREATED);
    let request: String = answer.json().unwrap();
    assert!(request.starts_with("POST /messages?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"key\":\"value\"}"), "{request}");
    assert_eq!(answer.json::<u8>().unwrap_err().kind(), Kind::Json);

    let answer = upstream::send_request(&url, Method::GET, None).await.unwrap();
    assert!(!answer.text().contains("content-type"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_blocking_client_works_from_plain_threads_and_from_async_code() {
    let (address, seen) = server(keeps).await;
    let url = format!("http://{address}/");
    let from_thread = tokio::task::spawn_blocking({
        let url = url.clone();
        move || upstream::blocking::send_request(&url, Method::GET, None).map(|answer| answer.text())
    });
    assert_eq!(from_thread.await.unwrap().unwrap(), "ok");
    let answer = tokio::task::block_in_place(|| upstream::blocking::send_request(&url, Method::GET, None)).unwrap();
    assert_eq!(answer.text(), "ok");
    assert_eq!(seen.both(), (1, 2));
}

#[test]
fn the_seeds_client_serves_runtimes_that_stand_still_between_calls() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, seen) = serving.block_on(server(keeps));
    let url = format!("http://{address}/");
    // All of them alive, none of them running but during its own call.
    let callers = [runtime(), runtime(), runtime()];
    for caller in &callers {
        let answer = caller.block_on(upstream::send_request(&url, Method::GET, None)).unwrap();
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(seen.both(), (1, 3));
}
