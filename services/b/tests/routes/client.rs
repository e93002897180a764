//! B on a port of its own, and a client of it.

use std::net::SocketAddr;
use std::time::Duration;

use database::Url;
use runtime::{Health, ServeConfig, Server, Shutdown};
use serde::de::DeserializeOwned;
use service_b::{Config, app};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{self, PATIENCE, eventually};

/// B, serving as long as the test runs.
pub(crate) struct B {
    pub(crate) health: Health,
    traffic: SocketAddr,
    admin: SocketAddr,
}

impl B {
    /// On `url`, ready.
    pub(crate) async fn ready(url: &Url) -> Self {
        let b = Self::start(url, Duration::from_hours(168));
        support::ready(&b.health).await;
        if *url != Url::None {
            b.readable().await;
        }
        b
    }

    /// Reads have a connection of their own, which opens a moment after readiness.
    pub(crate) async fn readable(&self) {
        eventually("readable", async || (self.get("/stats").await.status() == 200).then_some(())).await;
    }

    pub(crate) fn start(url: &Url, retention: Duration) -> Self {
        let server = Server::bind(ServeConfig::local(0, 0)).unwrap();
        let (traffic, admin) = (server.traffic_addr(), server.admin_addr());
        let context = support::context();
        let health = context.health.clone();
        let (router, _stop) = app(Config { database: url.clone(), retention }, context.clone());
        tokio::spawn(async move {
            let (_trigger, shutdown) = Shutdown::by_hand();
            server.run(router, context.health, &context.telemetry, shutdown).await
        });
        Self { health, traffic, admin }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.traffic, "GET", path, &[], b"").await
    }

    pub(crate) async fn probe(&self, path: &str) -> Answer {
        send(self.admin, "GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        send(self.traffic, "POST", "/events", headers, body.as_ref()).await
    }

    /// An event of `/a` in binary mode.
    pub(crate) async fn event(&self, id: &str) -> Answer {
        self.event_with(id, r#"{"key":"value"}"#).await
    }

    pub(crate) async fn event_with(&self, id: &str, body: &str) -> Answer {
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", "/a"),
            ("ce-type", "t"),
            ("content-type", "application/json"),
        ];
        self.post(&headers, body).await
    }

    pub(crate) async fn stats(&self) -> api::message::Stats {
        self.get("/stats").await.json()
    }
}

async fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let length = body.len();
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: b\r\nconnection: close\r\ncontent-length: {length}\r\n")
            .into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    let exchange = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // What is refused early may be answered before all of it is sent.
        let _ = socket.write_all(&request).await;
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        bytes
    };
    Answer(String::from_utf8(timeout(PATIENCE, exchange).await.expect("an answer in time")).unwrap())
}

#[derive(Clone, Debug)]
pub(crate) struct Answer(String);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n")?;
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            (key == name).then_some(value)
        })
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.0);
        serde_json::from_str(self.body()).unwrap()
    }

    /// Asserts that this is a problem with `status` whose detail contains `detail`, at `path`, with a trace id.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, detail: &str, path: &str) {
        assert_eq!(self.status(), status, "{}", self.0);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.0);
        let problem: api::Problem = serde_json::from_str(self.body()).unwrap();
        let told = problem.detail.unwrap_or_default();
        assert!(told.contains(detail), "{told:?} has no {detail:?}");
        assert_eq!(problem.instance.as_deref(), Some(path), "{}", self.0);
        assert_eq!(problem.trace_id.unwrap_or_default().len(), 32, "{}", self.0);
    }

    /// Asserts that this is a 503 that says when to come back.
    #[track_caller]
    pub(crate) fn is_to_be_tried_again(&self) {
        assert_eq!(self.status(), 503, "{}", self.0);
        let seconds: u32 = self.header("retry-after").expect("a Retry-After").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
}
