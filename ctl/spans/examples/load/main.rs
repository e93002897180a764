//! What the receiver bears: spans a second over HTTP, CPU a span, and memory, until and beyond a full store.
//!
//! `cargo run --release -p spans --example load`
//!
//! The receiver is another process, with the allocator of msctl. What is sent is what services A and B send of a message:
//! five spans a trace, in batches of 512 of one service each. First 20,000 spans a second for 20 s, then as many as the
//! receiver takes, until the store is full several times over.

#![expect(clippy::print_stdout, reason = "an example that prints its figures")]

mod batch;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use spans::{Stats, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RATE: u64 = 20_000;
const SECONDS: u64 = 20;
/// Spans of the second part.
const FLOOD: u64 = 1_500_000;
/// 100 MB.
const MOST_KIB: u64 = 97_656;
/// Requests at once.
const CROWD: usize = 16;
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const RECEIVER: &str = "LOAD_RECEIVER";

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    if env::var_os(RECEIVER).is_some() {
        return receive().await;
    }
    let mut receiver = Receiver::start()?;
    let idle = receiver.memory("VmRSS")?;
    let mut sender = Sender::new(&receiver.address);

    let (begun, before) = (Instant::now(), receiver.cpu()?);
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        let due = Duration::from_secs_f64(as_f64(sender.sent) / as_f64(RATE));
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        sender.batch().await?;
    }
    report("steady", sender.sent, begun.elapsed(), receiver.cpu()?.saturating_sub(before));
    println!(
        "  slowest batch {:?}; memory {} KiB, at most {} KiB, idle {idle} KiB",
        sender.slowest,
        receiver.memory("VmRSS")?,
        receiver.memory("VmHWM")?
    );

    let (begun, before, steady) = (Instant::now(), receiver.cpu()?, sender.sent);
    while sender.sent < steady + FLOOD {
        sender.batch().await?;
    }
    report("flood", sender.sent - steady, begun.elapsed(), receiver.cpu()?.saturating_sub(before));
    let peak = receiver.memory("VmHWM")?;
    println!("  memory {} KiB, at most {peak} KiB", receiver.memory("VmRSS")?);

    let (begun, before) = (Instant::now(), receiver.cpu()?);
    let answer = sender.get("/api/traces?service=service-a&limit=20&raw=true").await?;
    println!(
        "latest 20 traces: {} bytes in {:?}, {:?} CPU",
        answer.len(),
        begun.elapsed(),
        receiver.cpu()?.saturating_sub(before)
    );

    let stats = receiver.stats()?;
    println!("{stats:?}");
    let accounted = stats.spans + stats.spans_dropped;
    println!(
        "sent {}, here or dropped {accounted}; {} dropped traces of {} spans each",
        sender.sent,
        stats.traces_dropped,
        as_f64(stats.spans_dropped) / as_f64(stats.traces_dropped),
    );

    // The worst that bodies can do: as long as they may be, and of as many and as small things as fit.
    let refused = sender.crowd(&[(JSON, batch::small_json()), (PROTOBUF, batch::small_traces())]).await?;
    let worst = receiver.memory("VmHWM")?;
    println!(
        "hostile: {refused} of {CROWD} bodies put off; memory {} KiB, at most {worst} KiB",
        receiver.memory("VmRSS")?
    );
    println!("{:?}", receiver.stats()?);
    let holds = accounted == sender.sent && worst < MOST_KIB;
    if holds { Ok(()) } else { Err("spans are missing, or the memory was above 100 MB".into()) }
}

fn report(what: &str, spans: u64, took: Duration, cpu: Duration) {
    let rate = as_f64(spans) / took.as_secs_f64();
    let each = cpu.as_secs_f64() * 1e6 / as_f64(spans);
    println!("{what}: {spans} spans in {took:.1?}, {rate:.0} a second, {each:.2} us of CPU a span");
}

#[expect(clippy::cast_precision_loss, reason = "some million")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

async fn receive() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (store, stop) = (Arc::new(Store::default()), CancellationToken::new());
    println!("{}", listener.local_addr()?);
    let (stopping, asked) = (stop.clone(), store.clone());
    // A line asks for the figures; their end is the receiver's.
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines() {
            println!("{}", serde_json::to_string(&asked.stats()).unwrap_or_default());
        }
        stopping.cancel();
    });
    Ok(spans::serve(listener, store, stop).await?)
}

struct Receiver {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Receiver {
    fn start() -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        let mut child = command.env(RECEIVER, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let address = lines.next().ok_or("no address")??;
        Ok(Self { child, lines, address })
    }

    fn stats(&mut self) -> Result<Stats, Failure> {
        self.child.stdin.as_mut().ok_or("no stdin")?.write_all(b"\n")?;
        Ok(serde_json::from_str(&self.lines.next().ok_or("no stats")??)?)
    }

    fn memory(&self, what: &str) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(what)).ok_or("no such line")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
    }

    /// The scheduler's own count, in nanoseconds, of all threads that are alive.
    fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let count = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanoseconds += count.split_whitespace().next().ok_or("no count")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    address: String,
    /// Spans.
    sent: u64,
    block: u64,
    /// Encoded, not sent yet.
    batches: Vec<Bytes>,
    slowest: Duration,
}

impl Sender {
    fn new(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, address: address.to_owned(), sent: 0, block: 0, batches: Vec::new(), slowest: Duration::ZERO }
    }

    async fn batch(&mut self) -> Result<(), Failure> {
        if self.batches.is_empty() {
            self.batches = batch::block(self.block);
            self.block += 1;
        }
        let Some(batch) = self.batches.pop() else { return Ok(()) };
        let begun = Instant::now();
        let (status, body) = self.post(PROTOBUF, batch).await?;
        self.slowest = self.slowest.max(begun.elapsed());
        self.sent += batch::SPANS as u64;
        if status.is_success() && body.is_empty() { Ok(()) } else { Err(format!("{status}: {body:?}").into()) }
    }

    async fn post(&self, content_type: &str, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::post(format!("http://{}/v1/traces", self.address)).header("content-type", content_type);
        let response = self.client.request(request.body(Full::new(body))?).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Sends many at once, and counts those that were put off.
    async fn crowd(&self, bodies: &[(&str, Bytes)]) -> Result<usize, Failure> {
        let requests =
            bodies.iter().cycle().take(CROWD).map(|(content_type, body)| self.post(content_type, body.clone()));
        let answers = futures::future::try_join_all(requests).await?;
        Ok(answers.iter().filter(|(status, _)| *status == StatusCode::SERVICE_UNAVAILABLE).count())
    }

    async fn get(&self, path: &str) -> Result<Bytes, Failure> {
        let request = Request::get(format!("http://{}{path}", self.address)).body(Full::default())?;
        Ok(self.client.request(request).await?.into_body().collect().await?.to_bytes())
    }
}
