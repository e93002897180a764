//! What telemetry costs: CPU a request, for a request with a server span and a client span.
//!
//! `cargo run --release -p telemetry --example cost`
//!
//! Every variant serves the same requests through the same axum router, without sockets, taking turns; the CPU time is that
//! of the whole process, so encoding and sending the spans is part of it. The collector is another process. Nothing is
//! dropped: after each full batch the export is waited for. Then, at a steady rate and without waiting, that nothing is
//! dropped either.

#![expect(clippy::print_stdout, reason = "an example that prints its figures")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, io};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_gettime};
use telemetry::client::{ClientSpan, Hop};
use telemetry::{Identity, Sampler, Settings, Telemetry, server, traces_endpoint};
use tokio::net::TcpListener;
use tower::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 30;
const BATCHES: usize = 40;
/// Two spans each: a full batch of 512.
const REQUESTS_A_BATCH: usize = 256;

const RATE: u32 = 2_000;
const SECONDS: u32 = 5;
const TICKS_A_SECOND: u32 = 200;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
const ADDRESS: &str = "COST_COLLECTOR";

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    if let Ok(address) = env::var(ADDRESS) {
        return collect(address.parse()?).await;
    }
    let collector = OtherProcess::start().await?;
    let variants = [
        Variant::new("bare axum, no telemetry", "01", None)?,
        Variant::new("metrics, no export", "01", Some(Settings::default()))?,
        Variant::new("unsampled by its caller", "00", Some(collector.settings(Sampler::ParentBasedAlwaysOn)))?,
        Variant::new("unsampled by us", "01", Some(collector.settings(Sampler::AlwaysOff)))?,
        Variant::new("sampled", "01", Some(collector.settings(Sampler::ParentBasedAlwaysOn)))?,
    ];
    let mut figures = vec![Vec::with_capacity(ROUNDS); variants.len()];
    for round in 0..=ROUNDS {
        for turn in 0..variants.len() {
            let index = (round + turn) % variants.len();
            let microseconds = variants[index].run().await?;
            // The first round warms up.
            if round > 0 {
                figures[index].push(microseconds);
            }
        }
    }
    report(&variants, figures);
    let [.., sampled] = &variants;
    sampled.steadily().await
}

fn report(variants: &[Variant], figures: Vec<Vec<f64>>) {
    println!("{ROUNDS} rounds of {} requests each, two spans a request; medians", BATCHES * REQUESTS_A_BATCH);
    let medians: Vec<f64> = figures.into_iter().map(median).collect();
    // Spans are what tracing adds: to an unsampled request nothing but the context, to a sampled one all the rest.
    for (variant, microseconds) in variants.iter().zip(&medians) {
        println!(
            "{:<26} {microseconds:6.2} us CPU a request; {:+6.2} over bare, {:+6.2} over metrics",
            variant.name,
            microseconds - medians[0],
            microseconds - medians[1],
        );
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

struct Variant {
    name: &'static str,
    app: Router,
    parent: String,
    telemetry: Option<Telemetry>,
}

impl Variant {
    fn new(name: &'static str, flags: &str, settings: Option<Settings>) -> Result<Self, Failure> {
        let identity = Identity { service_name: "cost", service_version: "0.1.0" };
        let telemetry = settings.map(|settings| Telemetry::new(identity, &settings, None)).transpose()?;
        let app = match &telemetry {
            Some(telemetry) => Router::new().route("/items/{id}", get(calling)).layer(server::layer(telemetry)),
            None => Router::new().route("/items/{id}", get(plain)),
        };
        Ok(Self { name, app, parent: format!("{PARENT}-{flags}"), telemetry })
    }

    /// Microseconds of CPU a request.
    async fn run(&self) -> Result<f64, Failure> {
        let _entered = self.telemetry.as_ref().map(Telemetry::enter);
        let before = cpu()?;
        for _ in 0..BATCHES {
            for _ in 0..REQUESTS_A_BATCH {
                self.serve().await?;
            }
            if let Some(telemetry) = &self.telemetry {
                let report = telemetry.flush(Duration::from_secs(5)).await;
                if let Some(error) = report.error {
                    return Err(error.into());
                }
            }
        }
        let spent = cpu()?.saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "a few thousand requests")]
        let requests = (BATCHES * REQUESTS_A_BATCH) as f64;
        Ok(spent.as_secs_f64() * 1e6 / requests)
    }
}

impl Variant {
    async fn serve(&self) -> Result<(), Failure> {
        let request = Request::get("/items/7")
            .header("host", "service-a:8000")
            .header("user-agent", "curl/8.5.0")
            .header("accept", "*/*")
            .header("traceparent", &self.parent)
            .body(Body::empty())?;
        let answer = self.app.clone().call(request).await?;
        answer.into_body().collect().await?;
        Ok(())
    }

    async fn steadily(&self) -> Result<(), Failure> {
        let Some(telemetry) = &self.telemetry else { return Ok(()) };
        let _entered = telemetry.enter();
        let before = telemetry.flush(Duration::ZERO).await;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / TICKS_A_SECOND);
        for _ in 0..SECONDS * TICKS_A_SECOND {
            ticks.tick().await;
            for _ in 0..RATE / TICKS_A_SECOND {
                self.serve().await?;
            }
        }
        let after = telemetry.flush(Duration::from_secs(5)).await;
        println!(
            "{RATE} requests a second for {SECONDS} s, all sampled: {} spans exported, {} dropped",
            after.exported - before.exported,
            after.dropped - before.dropped,
        );
        Ok(())
    }
}

async fn plain() -> &'static str {
    let mut headers = HeaderMap::new();
    headers.insert("accept", http::HeaderValue::from_static("*/*"));
    std::hint::black_box((target(), &headers));
    "Hello, World!"
}

fn target() -> Uri {
    Uri::from_static("http://service-b:8001/")
}

/// As [`plain`], and what a call to another service adds.
async fn calling() -> &'static str {
    let mut headers = HeaderMap::new();
    headers.insert("accept", http::HeaderValue::from_static("*/*"));
    let uri = target();
    let call = ClientSpan::start(&Hop { method: &Method::GET, uri: &uri, template: None, resend_count: 0 });
    call.inject(&mut headers);
    std::hint::black_box(&headers);
    call.run(std::future::ready(())).await;
    call.answered(StatusCode::OK, Version::HTTP_11);
    "Hello, World!"
}

fn cpu() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from)
}

struct OtherProcess {
    child: Child,
    address: SocketAddr,
}

impl OtherProcess {
    async fn start() -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let child = Command::new(env::current_exe()?).env(ADDRESS, address.to_string()).stdin(Stdio::null()).spawn()?;
        Ok(Self { child, address })
    }

    fn settings(&self, sampler: Sampler) -> Settings {
        Settings {
            endpoint: Some(traces_endpoint(&format!("http://{}", self.address))),
            sampler,
            ..Settings::default()
        }
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to do about it either way.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn collect(address: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service_fn(async |request: Request<hyper::body::Incoming>| {
            let body = request.into_body().collect().await.map_err(io::Error::other)?;
            std::hint::black_box(body.to_bytes().len());
            Ok::<_, io::Error>(Response::new(Full::<Bytes>::default()))
        });
        tokio::spawn(async move {
            let served =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            served.map_err(|error| io::Error::other(error.to_string()))
        });
    }
}
