//! A steady load of kept and of new connections, in which every answer counts.
//!
//! A plain blocking client of some lines, on purpose: no retry and no pool may hide a failure of the service's.
//! It does what RFC 9112 asks of any client: after `Connection: close` it opens a new connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);

/// How many workers of each kind ask, and how often each does.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub kept: usize,
    pub fresh: usize,
    pub every: Duration,
}

#[derive(Debug, Default)]
pub struct Report {
    pub answered: u64,
    pub failures: Vec<String>,
}

impl Load {
    /// Asks `GET path` of `address` from all workers until `during` returns; every answer must be `200` with `body`.
    pub fn run<T>(self, address: SocketAddr, path: &str, body: &str, during: impl FnOnce() -> T) -> (Report, T) {
        let stop = AtomicBool::new(false);
        let workers = (0..self.kept).map(|_| true).chain((0..self.fresh).map(|_| false));
        std::thread::scope(|scope| {
            let stop = &stop;
            let handles: Vec<_> =
                workers.map(|keep| scope.spawn(move || worker(address, path, body, keep, self.every, stop))).collect();
            // Also when `during` panics: the scope waits for its workers.
            let ended = StopAtEnd(stop);
            let result = during();
            drop(ended);
            let mut total = Report::default();
            for handle in handles {
                let report = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                total.answered += report.answered;
                total.failures.extend(report.failures);
            }
            (total, result)
        })
    }
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn worker(address: SocketAddr, path: &str, body: &str, keep: bool, every: Duration, stop: &AtomicBool) -> Report {
    let mut report = Report::default();
    let mut connection: Option<BufReader<TcpStream>> = None;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        due += every;
        match ask(connection.take(), address, path, body, keep) {
            Ok(reusable) => {
                report.answered += 1;
                connection = reusable.filter(|_| keep);
            }
            Err(reason) => report.failures.push(reason),
        }
    }
    report
}

/// One request; gives back the connection when it may be used again.
fn ask(
    connection: Option<BufReader<TcpStream>>,
    address: SocketAddr,
    path: &str,
    body: &str,
    keep: bool,
) -> Result<Option<BufReader<TcpStream>>, String> {
    let kind = if connection.is_some() { "kept" } else { "new" };
    let fail = |action: &str, why: String| format!("{kind} connection, {action}: {why}");
    let mut connection = match connection {
        Some(connection) => connection,
        None => open(address).map_err(|error| fail("connect", error.to_string()))?,
    };
    let persistence = if keep { "keep-alive" } else { "close" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: {persistence}\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).map_err(|error| fail("write", error.to_string()))?;
    let answer = read(&mut connection).map_err(|error| fail("read", error.to_string()))?;
    if answer.status != 200 || answer.body != body {
        return Err(fail("answer", format!("{answer:?}")));
    }
    Ok((!answer.closes).then_some(connection))
}

fn open(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

#[derive(Debug)]
struct Answer {
    status: u16,
    body: String,
    closes: bool,
}

fn read(connection: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let invalid = |what: &str| std::io::Error::other(what.to_owned());
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(invalid("closed before an answer"));
    }
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| invalid(&line))?;
    let (mut length, mut closes) = (0, false);
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| invalid(&header))?;
        }
        closes |= header.starts_with("connection:") && header.contains("close");
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), closes })
}
