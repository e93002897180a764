//! A steady load of kept and of new connections, in which every answer counts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http::Connection;

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
    let mut connection: Option<Connection> = None;
    let started = Instant::now();
    let mut due = started;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        due += every;
        match ask(connection.take(), address, path, body, keep) {
            Ok(reusable) => {
                report.answered += 1;
                connection = reusable.filter(|_| keep);
            }
            // When, so that it can be laid beside the events of the namespace.
            Err(reason) => report.failures.push(format!("{:.1} s in, {reason}", started.elapsed().as_secs_f64())),
        }
    }
    report
}

/// One request; gives back the connection when it may be used again.
fn ask(
    connection: Option<Connection>,
    address: SocketAddr,
    path: &str,
    body: &str,
    keep: bool,
) -> Result<Option<Connection>, String> {
    let kind = if connection.is_some() { "kept" } else { "new" };
    let fail = |action: &str, why: String| format!("{kind} connection, {action}: {why}");
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(address).map_err(|error| fail("connect", error.to_string()))?,
    };
    let persistence = if keep { "Connection: keep-alive" } else { "Connection: close" };
    let request = format!("GET {path}");
    let answer = connection.ask(&request, &[persistence], "").map_err(|error| fail("ask", error.to_string()))?;
    if answer.status != 200 || answer.body != body {
        return Err(fail("answer", format!("{answer:?}")));
    }
    Ok((!answer.closes).then_some(connection))
}
