//! CPU per request of the whole stack, against bare axum on the same runtime and allocator.
//!
//! `cargo run --release -p runtime --example cpu [ROUNDS]` starts one server process per variant and loads them in
//! turn, so that whatever else the machine does meets all of them. Each line has the median over the rounds of the
//! server's CPU time (user and system, all threads) per request, and its ratio to the bare server's.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::post;
use runtime::{Health, ServeConfig, Server, Shutdown};
use serde_json::Value;
use telemetry::{Identity, Settings, Telemetry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VARIANTS: [&str; 4] = ["bare-1", "stack-1", "bare-2", "stack-2"];
const CONNECTIONS: u16 = 32;
const REQUESTS: u16 = 1_000;
const POST: &[u8] = b"POST / HTTP/1.1\r\nhost: localhost:8000\r\nuser-agent: bench/1.0\r\naccept: */*\r\n\
                      content-type: application/json\r\ncontent-length: 15\r\n\r\n{\"key\":\"value\"}";

fn main() {
    let argument = std::env::args().nth(1);
    if let Some(variant) = argument.as_deref().filter(|argument| VARIANTS.contains(argument)) {
        return serve(variant);
    }
    let rounds = argument.map_or(15, |rounds| rounds.parse().unwrap());
    let mut servers = VARIANTS.map(Measured::start);
    let load = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for round in 0..=rounds {
        for server in &mut servers {
            let before = server.cpu();
            load.block_on(server.load());
            // The first round warms up.
            if round > 0 {
                server.rounds.push((server.cpu() - before) / (f64::from(CONNECTIONS) * f64::from(REQUESTS)));
            }
        }
    }
    let mut bare = 0.0;
    for server in &mut servers {
        let median = server.median();
        if server.variant.starts_with("bare") {
            bare = median;
        }
        let rss = server.rss();
        println!("{:<8} {median:>6.2} us a request, {:.2} of bare, {rss} after load", server.variant, median / bare);
    }
}

fn serve(variant: &str) {
    let mut builder = if variant.ends_with('1') {
        tokio::runtime::Builder::new_current_thread()
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2);
        builder
    };
    builder.enable_all().build().unwrap().block_on(async {
        if variant.starts_with("bare") {
            let app = Router::new().route("/", post(async |axum::Json(_): axum::Json<Value>| "Hello, World!"));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            println!("{}", listener.local_addr().unwrap());
            let listener = axum::serve::ListenerExt::tap_io(listener, |socket| socket.set_nodelay(true).unwrap());
            axum::serve(listener, app).await.unwrap();
        } else {
            let app = Router::new().route("/", post(async |runtime::Json(_): runtime::Json<Value>| "Hello, World!"));
            let server = Server::bind(ServeConfig::local(0, 0)).unwrap();
            println!("{}", server.traffic_addr());
            let identity = Identity { service_name: "bench", service_version: "0.0.0" };
            let telemetry = Telemetry::new(identity, &Settings::default(), None).unwrap().install().unwrap();
            let (_trigger, shutdown) = Shutdown::by_hand();
            server.run(app, Health::new(), &telemetry, shutdown).await.unwrap();
        }
    });
}

/// A server process under measurement; killed when dropped.
struct Measured {
    variant: &'static str,
    child: Child,
    address: SocketAddr,
    rounds: Vec<f64>,
}

impl Measured {
    fn start(variant: &'static str) -> Self {
        let itself = std::env::current_exe().unwrap();
        let mut child = Command::new(itself).arg(variant).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { variant, child, address: line.trim().parse().unwrap(), rounds: Vec::new() }
    }

    /// Microseconds on a processor so far, over all threads: the first number of `schedstat`, in nanoseconds.
    fn cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let spent = tasks.map(|task| {
            let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap()
        });
        spent.sum::<f64>() / 1_000.0
    }

    fn rss(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    async fn load(&self) {
        let address = self.address;
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(client(address))).collect();
        for client in clients {
            client.await.unwrap();
        }
    }

    fn median(&mut self) -> f64 {
        self.rounds.sort_by(f64::total_cmp);
        self.rounds[self.rounds.len() / 2]
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn client(address: SocketAddr) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let mut answer = vec![0; 1024];
    for _ in 0..REQUESTS {
        socket.write_all(POST).await.unwrap();
        let length = socket.read(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    }
}
