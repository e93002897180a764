//! Measures the way to a service on a real cluster: `dial NAMESPACE HOST PORT [COUNT]`.
//!
//! Prints what each step of the first call took, then, with a COUNT, calls over new and over kept connections.
//! `RELAY_IMAGE`, `RELAY_IDLE` (seconds) and `AS_USER` change what their names say.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reach::{Connector, KubeOptions, Tunnel, TunnelOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [namespace, host, port, rest @ ..] = arguments.as_slice() else {
        return Err("usage: dial NAMESPACE HOST PORT [COUNT]".into());
    };
    let port: u16 = port.parse()?;
    let began = Instant::now();
    let kube = KubeOptions {
        namespace: Some(namespace.clone()),
        as_user: std::env::var("AS_USER").ok(),
        ..KubeOptions::default()
    };
    let cluster = reach::connect(&kube).await?;
    say(&format!("client built     {:?}", began.elapsed()));
    let image = std::env::var("RELAY_IMAGE").unwrap_or_else(|_| "ghcr.io/msctl/msctl:0.1.0".to_owned());
    let mut options = TunnelOptions::new(namespace, image);
    if let Ok(seconds) = std::env::var("RELAY_IDLE") {
        options.idle_timeout = std::time::Duration::from_secs(seconds.parse()?);
    }
    options.progress = Some(Arc::new(move |progress| say(&format!("  {:?} {progress}", began.elapsed()))));
    let opened = Instant::now();
    let tunnel = match Tunnel::open(&cluster, options).await {
        Ok(tunnel) => tunnel,
        Err(error) => return Err(format!("{error}\nhint: {}", error.hint().unwrap_or_default()).into()),
    };
    say(&format!("tunnel open      {:?}", opened.elapsed()));
    let dialled = Instant::now();
    let stream = tunnel.dial(host, port).await?;
    say(&format!("dialled {:?} {:?}", stream.peer(), dialled.elapsed()));
    let asked = Instant::now();
    let answer = get(stream, host).await?;
    say(&format!("answered         {:?}: {}", asked.elapsed(), answer.lines().last().unwrap_or_default()));
    say(&format!("in all           {:?}", began.elapsed()));
    if let Some(count) = rest.first() {
        load(tunnel, host, port, count.parse()?).await?;
    }
    Ok(())
}

async fn get(mut stream: reach::TunnelStream, host: &str) -> std::io::Result<String> {
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn load(tunnel: Tunnel, host: &str, port: u16, count: usize) -> Result<(), Failure> {
    const AT_ONCE: usize = 16;
    let began = Instant::now();
    let workers = (0..AT_ONCE).map(|_| async {
        for _ in 0..count / AT_ONCE {
            get(tunnel.dial(host, port).await?, host).await?;
        }
        Ok::<_, Failure>(())
    });
    futures::future::try_join_all(workers).await?;
    say(&rate("new connections ", count, began));
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(Connector::relay(tunnel.clone()));
    let uri: http::Uri = format!("http://{host}:{port}/").parse()?;
    let began = Instant::now();
    let workers = (0..AT_ONCE).map(|_| async {
        for _ in 0..count / AT_ONCE {
            client.get(uri.clone()).await?.into_body().collect().await?;
        }
        Ok::<_, Failure>(())
    });
    futures::future::try_join_all(workers).await?;
    say(&rate("kept connections", count, began));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(what: &str, count: usize, began: Instant) -> String {
    format!("{what} {:.0} requests/s", count as f64 / began.elapsed().as_secs_f64())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
