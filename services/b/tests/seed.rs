//! The seed's table, to the byte.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

use std::net::SocketAddr;
use std::time::Duration;

use database::Url;
use runtime::{Context, Health, ServeConfig, Server, Shutdown};
use service_b::{Config, app};
use telemetry::{Identity, Settings, Telemetry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn the_seeds_request_has_the_seeds_answer_to_the_byte() {
    let answer = ask(serve(), "GET / HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n").await;
    let (head, rest) = answer.split_once("date: ").unwrap();
    let (_, body) = rest.split_once("\r\n\r\n").unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 16\r\nconnection: close\r\n");
    assert_eq!(body, "Hello, ServiceB!");
}

#[tokio::test]
async fn everything_else_is_a_problem() {
    let b = serve();
    for (request, status) in [("GET /nowhere", "404"), ("POST /", "405"), ("GET /events", "405")] {
        let answer = ask(b, &format!("{request} HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let problem: api::Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.trace_id.unwrap().len(), 32);
    }
}

fn serve() -> SocketAddr {
    let server = Server::bind(ServeConfig::local(0, 0)).unwrap();
    let address = server.traffic_addr();
    tokio::spawn(async move {
        let identity = Identity { service_name: "service-b", service_version: "0.0.0" };
        let telemetry = Telemetry::new(identity, &Settings::default(), None).unwrap();
        let (_trigger, shutdown) = Shutdown::by_hand();
        let health = Health::new();
        let context = Context { health: health.clone(), telemetry: telemetry.clone() };
        // The seed has no database.
        let (router, _stop) = app(Config { database: Url::None, retention: Duration::from_hours(1) }, context);
        server.run(router, health, &telemetry, shutdown).await
    });
    address
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(Duration::from_secs(10), socket.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    String::from_utf8(bytes).unwrap()
}
