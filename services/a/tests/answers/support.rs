//! A on a port of its own, stand-ins for B, and a client that sees every byte.

use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use runtime::{Context, Health, ServeConfig, Server, Shutdown};
use service_a::{Config, MessagesConfig, app};
use telemetry::{Identity, Settings, Telemetry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Nothing here may take longer; what does has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A, with B at `service_b` and all the time B needs; it serves as long as the test runs.
pub(crate) async fn serve_a(service_b: Uri) -> SocketAddr {
    serve_a_waiting(service_b, PATIENCE).await
}

/// A, which waits for B no longer than `upstream_timeout`.
pub(crate) async fn serve_a_waiting(service_b: Uri, upstream_timeout: Duration) -> SocketAddr {
    let database = database::Url::None;
    let config = Config { service_b, upstream_timeout, database, messages: MessagesConfig::default() };
    let server = Server::bind(ServeConfig::local(0, 0)).unwrap();
    let address = server.traffic_addr();
    tokio::spawn(async move {
        let telemetry = telemetry();
        let (_trigger, shutdown) = Shutdown::by_hand();
        let context = Context { health: Health::new(), telemetry: telemetry.clone() };
        let (router, _stop) = app(&config, context.clone());
        server.run(router, context.health, &telemetry, shutdown).await
    });
    address
}

/// Telemetry that records spans; nobody is there to take them.
pub(crate) fn telemetry() -> Telemetry {
    let identity = Identity { service_name: "service-a", service_version: "0.0.0" };
    let settings = Settings { endpoint: Some("http://127.0.0.1:1/v1/traces".to_owned()), ..Settings::default() };
    Telemetry::new(identity, &settings, None).unwrap()
}

/// A B that tells what it was sent.
pub(crate) async fn recorder() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap();
            request.truncate(length);
            sender.send(String::from_utf8(request).unwrap()).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    });
    (address, receiver)
}

/// Answers `answer` to whatever is sent.
pub(crate) async fn stand_in(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    address
}

pub(crate) fn authority(address: SocketAddr) -> Uri {
    format!("http://{address}").parse().unwrap()
}

/// Sends `request`, which asks for the connection to be closed, and reads to its end.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    Answer(String::from_utf8(bytes).unwrap())
}

#[derive(Clone, Debug)]
pub(crate) struct Answer(String);

impl Answer {
    /// Every byte but the date, which has to be there.
    pub(crate) fn without_date(&self) -> String {
        let date = self.header("date").expect("a date");
        self.0.replacen(date, "", 1)
    }

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

    /// Asserts that this is a problem with `status` whose detail contains `detail`, and has a trace id.
    pub(crate) fn is_problem(&self, status: u16, detail: &str) {
        assert_eq!(self.status(), status, "{}", self.0);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.0);
        let (_, body) = self.0.split_once("\r\n\r\n").unwrap();
        let problem: api::Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.status, status);
        let told = problem.detail.unwrap_or_default();
        assert!(told.contains(detail), "{told:?} has no {detail:?}");
        assert_eq!(problem.trace_id.unwrap_or_default().len(), 32, "{body}");
    }
}
