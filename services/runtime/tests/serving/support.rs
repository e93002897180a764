//! A server on a port of its own, and a client that sends bytes as they are.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use runtime::{Drained, Health, Limits, ServeConfig, ServeError, Server, Shutdown, Trigger};
use telemetry::{Identity, Settings, Telemetry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here may take longer; what does has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A server that is serving.
pub(crate) struct Running {
    pub(crate) traffic: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) health: Health,
    pub(crate) trigger: Trigger,
    pub(crate) ended: JoinHandle<Result<Drained, ServeError>>,
}

/// Loopback, ports chosen by the system, and these limits.
pub(crate) fn config(limits: Limits) -> ServeConfig {
    let mut config = ServeConfig::local(0, 0);
    config.limits = limits;
    config
}

pub(crate) fn start(app: Router, config: ServeConfig) -> Running {
    let server = Server::bind(config).unwrap();
    let (traffic, admin) = (server.traffic_addr(), server.admin_addr());
    let (trigger, shutdown) = Shutdown::by_hand();
    let health = Health::new();
    let identity = Identity { service_name: "test", service_version: "0.0.0" };
    let telemetry = Telemetry::new(identity, &Settings::default(), None).unwrap();
    let ended = tokio::spawn({
        let health = health.clone();
        async move { server.run(app, health, &telemetry, shutdown).await }
    });
    Running { traffic, admin, health, trigger, ended }
}

/// A connection that sends and receives bytes.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// One answer: by its Content-Length, or up to the connection's end.
    pub(crate) async fn answer(&mut self) -> Answer {
        timeout(PATIENCE, self.try_answer()).await.expect("an answer in time").expect("an answer")
    }

    pub(crate) async fn try_answer(&mut self) -> std::io::Result<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await?;
        Ok(Answer { head, body: String::from_utf8(body).unwrap() })
    }

    /// Waits for the server to close, and returns what it still sent.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        read.expect("a close in time").expect("a close without a reset");
        rest
    }
}

/// One connection, one request, one answer.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut wire = Wire::open(address).await;
    wire.send(request).await;
    wire.answer().await
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            (key == name).then_some(value)
        })
    }

    /// Asserts that this is a problem with `status` whose detail contains `detail`, and has a trace id.
    pub(crate) fn is_problem(&self, status: u16, detail: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: api::Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, status);
        let told = problem.detail.unwrap_or_default();
        assert!(told.contains(detail), "{told:?} has no {detail:?}");
        assert_eq!(problem.trace_id.unwrap_or_default().len(), 32, "{}", self.body);
    }
}
