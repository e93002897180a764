//! Asking a replica once whether it is well.

use std::net::{Ipv4Addr, SocketAddr};
use std::{fmt, io};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::event::Span;
use crate::scarce;
use crate::spec::Probe;

/// A status line, with a reason phrase of a server that explains itself.
const LONGEST_LINE: usize = 1024;

/// Where a replica listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) port: u16,
    pub(crate) admin: Option<u16>,
}

impl Addresses {
    fn of(self, probe: &Probe) -> u16 {
        self.admin.filter(|_| probe.admin).unwrap_or(self.port)
    }
}

/// What was asked, for a person: `GET http://127.0.0.1:20017/readyz`.
pub(super) fn question(probe: &Probe, addresses: Addresses) -> String {
    let port = addresses.of(probe);
    match &probe.path {
        Some(path) => format!("GET http://127.0.0.1:{port}{path}"),
        None => format!("a connection to 127.0.0.1:{port}"),
    }
}

/// What came instead of a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bad {
    Answer(String),
    /// It could not be asked, for want of something on this side: says nothing about the replica.
    NotAsked(String),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(why) => f.write_str(why),
            Self::NotAsked(why) => write!(f, "could not be asked: {why}"),
        }
    }
}

pub(super) async fn ask(probe: &Probe, addresses: Addresses) -> Result<(), Bad> {
    let answer = timeout(probe.timeout(), answer(probe, addresses.of(probe)));
    match answer.await {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(status))) => Err(Bad::Answer(format!("answered {status}"))),
        Ok(Err(error)) if scarce::is_ours(&error) => Err(Bad::NotAsked(error.to_string())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Bad::Answer("nobody listens".to_owned()))
        }
        Ok(Err(error)) => Err(Bad::Answer(error.to_string())),
        Err(_) => Err(Bad::Answer(format!("no answer within {}", Span(probe.timeout_ms)))),
    }
}

/// The status when it is a bad one.
async fn answer(probe: &Probe, port: u16) -> io::Result<Option<String>> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let Some(path) = &probe.path else { return Ok(None) };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: msctl-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let line = status_line(&mut stream).await?;
    let status = status(&line)?;
    // Read to its end, in the background: a server that is hung up on while it writes logs an error.
    let limit = probe.timeout();
    tokio::spawn(async move { timeout(limit, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await });
    Ok((!(200..400).contains(&status)).then(|| line.split_once(' ').map_or(line.clone(), |(_, rest)| rest.to_owned())))
}

async fn status_line(stream: &mut TcpStream) -> io::Result<String> {
    let mut read = Vec::with_capacity(256);
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer"));
        }
        if let Some(end) = read.iter().position(|&byte| byte == b'\n') {
            return Ok(String::from_utf8_lossy(&read[..end]).trim_end().to_owned());
        }
        if read.len() > LONGEST_LINE {
            return Err(no_http());
        }
    }
}

/// RFC 9112, section 4.
fn status(line: &str) -> io::Result<u16> {
    let rest = line.strip_prefix("HTTP/1.").ok_or_else(no_http)?;
    rest.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(no_http)
}

fn no_http() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP/1.1")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers the same to everybody.
    async fn server(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    async fn outcome(answer: &'static str) -> Result<(), String> {
        let port = server(answer).await;
        let probe =
            Probe { path: Some("/readyz".to_owned()), admin: true, period_ms: 1, timeout_ms: 5000, failures: 1 };
        ask(&probe, Addresses { port: 1, admin: Some(port) }).await.map_err(|bad| bad.to_string())
    }

    #[tokio::test]
    async fn a_good_status_is_one_from_200_to_399() {
        assert_eq!(outcome("HTTP/1.1 200 OK\r\n\r\n").await, Ok(()));
        assert_eq!(outcome("HTTP/1.0 302 Found\r\n\r\n").await, Ok(()));
        assert_eq!(outcome("HTTP/1.1 204\r\n\r\n").await, Ok(()));
        let bad = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        assert_eq!(outcome(bad).await, Err("answered 503 Service Unavailable".to_owned()));
        assert_eq!(outcome("SSH-2.0-x\r\n").await, Err("the answer is not HTTP/1.1".to_owned()));
        assert_eq!(outcome("").await, Err("closed without an answer".to_owned()));
    }

    #[tokio::test]
    async fn without_a_path_a_connection_is_enough() {
        let port = server("").await;
        let probe = Probe { path: None, admin: false, period_ms: 1, timeout_ms: 5000, failures: 1 };
        assert_eq!(ask(&probe, Addresses { port, admin: None }).await, Ok(()));
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let refused = ask(&probe, Addresses { port: free, admin: None }).await;
        assert_eq!(refused, Err(Bad::Answer("nobody listens".to_owned())));
    }
}
