//! The proxy from its outside: raw bytes where a client would not send them, curl and Python where people do.

mod bodies;
mod programs;
mod requests;
mod tunnels;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

use super::run;
use crate::names::Names;

/// For what happens at once, on a machine that is busy with other things.
const SOON: Duration = Duration::from_secs(30);

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("it takes too long")
}

/// A proxy, and `service-b` behind it.
struct Setting {
    proxy: SocketAddr,
    service: TcpListener,
}

impl Setting {
    async fn new() -> Self {
        Self::with_cap(100).await
    }

    async fn with_cap(cap: usize) -> Self {
        let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let names = Names::new("demo");
        names.service("service-b", service.local_addr().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        tokio::spawn(run(listener, names, cap));
        Self { proxy, service }
    }

    fn port(&self) -> u16 {
        self.service.local_addr().unwrap().port()
    }

    async fn client(&self) -> TcpStream {
        soon(TcpStream::connect(self.proxy)).await.unwrap()
    }

    /// Sends `request` and answers it with `answer`: what the service got, and what the client.
    async fn exchange(&self, request: &str, answer: &str) -> (String, String) {
        let mut client = self.client().await;
        client.write_all(request.replace("PORT", &self.port().to_string()).as_bytes()).await.unwrap();
        let mut server = soon(self.service.accept()).await.unwrap().0;
        let seen = head(&mut server).await;
        server.write_all(answer.as_bytes()).await.unwrap();
        drop(server);
        (seen, rest(&mut client).await)
    }

    /// What the proxy itself says to `request`.
    async fn refusal(&self, request: &str) -> String {
        let mut client = self.client().await;
        client.write_all(request.replace("PORT", &self.port().to_string()).as_bytes()).await.unwrap();
        rest(&mut client).await
    }

    /// Runs a client program, with the service answering `count` connections.
    async fn program(&self, command: &mut Command, count: usize) -> (String, String) {
        let output = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let served = async {
            for _ in 0..count {
                let mut server = self.service.accept().await.unwrap().0;
                let seen = head(&mut server).await;
                let line = seen.lines().next().unwrap();
                let body = format!("{line} as {}", host(&seen));
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                server.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let (output, ()) = soon(async { tokio::join!(output, served) }).await;
        let output = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }
}

fn host(head: &str) -> &str {
    head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("nobody")
}

async fn head(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(seen).unwrap().to_lowercase().replacen("http/1.1", "HTTP/1.1", 1)
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}
