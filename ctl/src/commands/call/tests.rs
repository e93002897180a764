use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Parser as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::cli::{Cli, Command};
use crate::cluster::double::Double;
use crate::output::tests::captured;
use crate::telemetry::Asked;

/// What a server does with one connection, once it has read a request.
#[derive(Clone, Copy)]
enum Reply {
    Bytes(&'static str),
    /// Closes the connection instead.
    Nothing,
    /// Half of the answer, and silence.
    Half(&'static str),
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, World!";

/// A server that replies to one connection after the other, with the last reply to all further ones; it passes on the
/// requests that it read.
async fn server(replies: Vec<Reply>) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (read, requests) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        for at in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = request_of(&mut stream).await;
            let _ = read.try_send(request);
            match *replies.get(at).or(replies.last()).unwrap() {
                Reply::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
                Reply::Nothing => {}
                Reply::Half(bytes) => {
                    stream.write_all(bytes.as_bytes()).await.unwrap();
                    kept.push(stream);
                }
            }
        }
    });
    (address, requests)
}

async fn request_of(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let n = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&request);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        let length =
            text.split_once("content-length: ").map(|(_, rest)| rest.split("\r\n").next().unwrap().parse().unwrap());
        if n == 0 || body.is_some_and(|body| body >= length.unwrap_or(0)) {
            return text.into_owned();
        }
    }
}

pub(super) struct Called {
    pub(super) outcome: Result<u16, Error>,
    pub(super) out: String,
    pub(super) err: String,
}

/// `msctl call http://ADDRESS/path?q=1 --via direct ARGS`, without the process around it.
async fn call(address: SocketAddr, args: &[&str]) -> Called {
    call_url(&format!("http://{address}/path?q=1"), args).await
}

/// `msctl call URL --via direct ARGS`; a message that is dead is its error.
pub(super) async fn call_url(url: &str, args: &[&str]) -> Called {
    // Whoever runs the tests may have a cluster; they do not talk to it.
    let globals = Globals { kubeconfig: Some("/nonexistent/kubeconfig".into()), ..Globals::default() };
    let (printer, ..) = captured();
    call_on(&Platform::choose(&globals, &printer).unwrap(), url, args).await
}

async fn call_on(platform: &Platform, url: &str, args: &[&str]) -> Called {
    let line = ["msctl", "call", url, "--via", "direct"];
    let Command::Call(args) = Cli::try_parse_from(line.iter().chain(args)).unwrap().command else {
        panic!("another verb")
    };
    let (printer, out, err) = captured();
    let asked = Asked::default();
    let route = Route { args: &args, platform, printer: &printer, asked_jaeger: None, asked, sampled: false };
    let patience = Patience::new(format!("calling {}", args.target), args.timeout);
    let outgoing = Outgoing::from_args(&args, &patience.stage).await.unwrap();
    let root = Root::start(&outgoing);
    let mut sink = Sink::open(None, &printer).await.unwrap();
    let mut interrupt = Interrupt::listen().unwrap();
    let answered = result(&route, outgoing, &root, &patience, &mut interrupt, &mut sink).await;
    let outcome = answered.and_then(|answered| match answered.failure {
        Some(failure) => Err(failure),
        None => Ok(answered.status.as_u16()),
    });
    Called { outcome, out: out.text(), err: err.text() }
}

#[tokio::test]
async fn the_body_goes_to_stdout_as_it_is_and_nothing_else() {
    let (address, mut requests) = server(vec![Reply::Bytes(HELLO)]).await;
    let called = call(address, &[]).await;
    assert_eq!((called.outcome, called.out.as_str(), called.err.as_str()), (Ok(200), "Hello, World!", ""));
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nhost: {address}\r\n")), "{request}");
}

#[tokio::test]
async fn json_is_posted_with_its_type_and_length() {
    let (address, mut requests) = server(vec![Reply::Bytes(HELLO)]).await;
    call(address, &["-d", r#"{"key":"value"}"#]).await.outcome.unwrap();
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("POST ") && request.ends_with("\r\n\r\n{\"key\":\"value\"}"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/json\r\n"), "{request}");
}

#[tokio::test]
async fn include_prints_the_head_before_the_body() {
    let (address, _requests) = server(vec![Reply::Bytes(HELLO)]).await;
    let called = call(address, &["-i"]).await;
    assert_eq!(called.out, HELLO);
}

#[tokio::test]
async fn the_body_of_an_error_is_printed_and_its_status_said() {
    let failed = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
    let (address, _requests) = server(vec![Reply::Bytes(failed)]).await;
    let called = call(address, &[]).await;
    assert_eq!((called.outcome, called.out.as_str()), (Ok(503), "busy"));
    assert!(called.err.contains("answered 503 Service Unavailable\n  why: busy\n  where: "), "{}", called.err);
}

#[tokio::test]
async fn a_get_survives_a_server_that_went_away() {
    let (address, mut requests) = server(vec![Reply::Nothing, Reply::Nothing, Reply::Bytes(HELLO)]).await;
    let called = call(address, &[]).await;
    assert_eq!((called.outcome, called.out.as_str()), (Ok(200), "Hello, World!"));
    for _ in 0..3 {
        assert!(requests.recv().await.unwrap().starts_with("GET "));
    }
}

#[tokio::test]
async fn a_post_that_may_have_been_done_is_not_sent_again() {
    let (address, mut requests) = server(vec![Reply::Nothing]).await;
    let error = call(address, &["-d", "{}"]).await.outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::Failed);
    assert!(error.to_string().contains("did not answer"), "{error}");
    assert!(requests.recv().await.unwrap().starts_with("POST "));
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_body_that_breaks_off_says_how_much_there_was() {
    let (address, _requests) = server(vec![Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello")]).await;
    let called = call(address, &[]).await;
    assert_eq!(called.out, "Hello");
    assert!(called.outcome.unwrap_err().to_string().contains("broke off after 5 bytes"));
}

#[tokio::test]
async fn a_body_that_stalls_ends_with_the_timeout() {
    let (address, _requests) = server(vec![Reply::Half("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello")]).await;
    let called = call(address, &["--timeout", "2s"]).await;
    assert_eq!(called.out, "Hello", "what has come is printed as it comes");
    assert_eq!(called.outcome.unwrap_err().code(), ExitCode::TimedOut);
}

#[tokio::test]
async fn nobody_at_the_address_is_an_error_with_the_address() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = call(nobody, &[]).await.outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::Failed);
    assert!(error.to_string().contains(&nobody.to_string()), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_an_error() {
    let (address, _requests) = server(vec![Reply::Bytes("SSH-2.0-OpenSSH_9.2\r\n")]).await;
    let error = call(address, &[]).await.outcome.unwrap_err();
    assert!(error.to_string().contains("not HTTP"), "{error}");
}

#[tokio::test]
async fn trouble_with_a_service_says_where_and_what_to_run_next() {
    let (place, logs) = ("where: namespace default", "msctl logs localhost --tail 20 -n default");
    let large = "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n";
    for (reply, args, said) in [
        (Reply::Bytes("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"), &[][..], ["next: ", logs]),
        (Reply::Bytes(large), &["-d", "{}"], ["answered 413", "next: send a smaller body; this one has 2 bytes"]),
        (Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello"), &[], [place, logs]),
        (Reply::Bytes("SSH-2.0-OpenSSH_9.2\r\n"), &[], [place, "next: msctl call localhost:PORT"]),
        (Reply::Nothing, &["-d", "{}"], ["it may have been done", "next: msctl status localhost -n default"]),
    ] {
        let (address, _requests) = server(vec![reply]).await;
        let called = call_url(&format!("localhost:{}/path", address.port()), args).await;
        let text = called.outcome.map_or_else(|error| error.to_string(), |_| called.err);
        assert!(said.iter().all(|part| text.contains(part)), "{said:?}: {text}");
    }
}

/// A Service `localhost` in the double's namespace, with this port and pods in this state.
fn deployed(port: u16, waiting: &serde_json::Value) -> Double {
    let double = Double::new();
    let named = |name: &str| json!({ "app.kubernetes.io/name": "localhost", "msctl.dev/track": "stable", "pod-template-hash": name });
    let revision = json!({ "deployment.kubernetes.io/revision": "1" });
    let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "localhost", "uid": "uid-d" });
    let state = json!({ "name": "localhost", "image": "x:1", "imageID": "", "ready": false, "restartCount": 0,
                        "state": { "waiting": waiting } });
    let scheduled = json!([{ "type": "PodScheduled", "status": "True" }]);
    for (path, object) in [
        ("/api/v1/namespaces/shop/services/localhost", json!({ "spec": { "ports": [{ "port": port }] } })),
        (
            "/apis/apps/v1/namespaces/shop/deployments/localhost",
            json!({ "metadata": { "uid": "uid-d", "generation": 1, "labels": named(""), "annotations": revision },
                    "spec": { "replicas": 1, "selector": {}, "template": {} }, "status": { "observedGeneration": 1 } }),
        ),
        (
            "/apis/apps/v1/namespaces/shop/replicasets/localhost-1",
            json!({ "metadata": { "labels": named("1"), "annotations": revision, "ownerReferences": [owner] },
                    "spec": { "selector": {} } }),
        ),
        (
            "/api/v1/namespaces/shop/pods/localhost-1-x",
            json!({ "metadata": { "uid": "uid-x", "labels": named("1") },
                    "status": { "phase": "Pending", "conditions": scheduled, "containerStatuses": [state] } }),
        ),
    ] {
        let mut object = object;
        object["metadata"]["name"] = json!(path.rsplit('/').next());
        double.put(path, object);
    }
    double
}

#[tokio::test]
async fn nobody_who_answers_is_told_with_what_keeps_the_pods() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("http://localhost:{port}/");
    let missing = json!({ "reason": "CreateContainerConfigError", "message": "secret \"db\" not found" });
    let gone = json!({ "reason": "ImagePullBackOff", "message": "failed to resolve reference x: not found" });
    let status = "next: msctl status localhost -n shop";
    for (has, waiting, said) in [
        (port, &missing, ["why: 0/1 ready: localhost-1-x: container", "connection refused"]),
        (port, &gone, ["why: localhost-1-x: cannot pull image x:1", status]),
        (1, &gone, ["its Service has no port", "next: msctl call localhost:1\n"]),
    ] {
        let platform = Platform::from(deployed(has, waiting).cluster());
        let error = call_on(&platform, &url, &[]).await.outcome.unwrap_err();
        assert_eq!(error.code(), ExitCode::Failed, "{error}");
        assert!(said.iter().all(|said| error.to_string().contains(said)), "{said:?}: {error}");
    }
}

#[tokio::test]
async fn verbose_says_way_status_and_time() {
    let (address, _requests) = server(vec![Reply::Bytes(HELLO)]).await;
    let called = call(address, &["-v"]).await;
    assert!(called.err.contains("200 OK in ") && called.err.contains("by direct"), "{}", called.err);
    assert_eq!(called.out, "Hello, World!");
}

#[tokio::test]
async fn a_slow_server_is_given_up_at_the_timeout() {
    let (address, _requests) = server(vec![Reply::Half("")]).await;
    let began = Instant::now();
    let error = call(address, &["--timeout", "1s"]).await.outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
