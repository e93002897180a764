//! A plain blocking client of some lines, on purpose: no retry and no pool may hide a failure of the service's.
//!
//! It does what RFC 9112 asks of any client: after `Connection: close` it opens a new connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a service.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

/// What a service answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// The connection is not to be used again.
    pub closes: bool,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    /// Sends `METHOD /path` with `headers` (whole lines, without their ends) and `body`, and reads the whole answer.
    pub fn ask(&mut self, request: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
        let mut head = format!("{request} HTTP/1.1\r\nHost: {}\r\n", self.address);
        let length = format!("Content-Length: {}", body.len());
        let body_headers = ["Content-Type: application/json", &length];
        let body_headers = if body.is_empty() { &[][..] } else { &body_headers };
        for header in headers.iter().chain(body_headers) {
            head.push_str(header);
            head.push_str("\r\n");
        }
        self.stream.get_mut().write_all(format!("{head}\r\n{body}").as_bytes())?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Answer> {
        let invalid = |what: &str| io::Error::other(what.to_owned());
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(invalid("closed before an answer"));
        }
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| invalid(&line))?;
        let (mut length, mut closes, mut chunked) = (0, false, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| invalid(&header))?;
            }
            chunked |= header.starts_with("transfer-encoding:") && header.ends_with("chunked");
            closes |= header.starts_with("connection:") && header.contains("close");
        }
        let body = if chunked { self.chunks()? } else { self.exactly(length)? };
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), closes })
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    /// A body of unknown length, without trailers.
    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim_end(), 16).map_err(|_| io::Error::other(line))?;
            body.extend(self.exactly(length)?);
            self.exactly(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// One request on a connection of its own, where every failure is told.
pub fn ask(address: SocketAddr, request: &str, headers: &[&str], body: &str) -> Result<Answer, String> {
    let mut headers = headers.to_vec();
    headers.push("Connection: close");
    Connection::open(address)
        .and_then(|mut connection| connection.ask(request, &headers, body))
        .map_err(|error| format!("{request}: {error}"))
}
