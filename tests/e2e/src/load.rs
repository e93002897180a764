//! A steady load of kept and of new connections, in which every answer counts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http::{Answer, Connection};

/// How many workers of each kind ask, and how often each does.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub kept: usize,
    pub fresh: usize,
    pub every: Duration,
}

/// What is asked, and which answers are the right ones.
pub struct Question<'a> {
    /// `GET /path`
    pub request: &'a str,
    pub body: &'a str,
    pub right: &'a (dyn Fn(&Answer) -> bool + Sync),
}

#[derive(Debug, Default)]
pub struct Report {
    pub answered: u64,
    pub failures: Vec<String>,
}

impl std::fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Report {
    /// Asserts that every one of at least `enough` was answered as it should be.
    #[track_caller]
    pub fn none_failed(&self, what: &str, enough: u64) {
        let Self { answered, failures } = self;
        eprintln!("{what}: {answered} answered, {} failed", failures.len());
        let some = &failures[..failures.len().min(5)];
        assert!(failures.is_empty(), "{what}: {} failed, {answered} did not: {some:#?}", failures.len());
        assert!(*answered >= enough, "too little load: {answered} answers");
    }
}

impl Load {
    /// Asks `GET path` of `address` from all workers until `during` returns; every answer must be `200` with `body`.
    pub fn run<T>(self, address: SocketAddr, path: &str, body: &str, during: impl FnOnce() -> T) -> (Report, T) {
        let right = |answer: &Answer| answer.status == 200 && answer.body == body;
        self.ask(address, &Question { request: &format!("GET {path}"), body: "", right: &right }, during)
    }

    /// The same with any request.
    pub fn ask<T>(self, address: SocketAddr, question: &Question<'_>, during: impl FnOnce() -> T) -> (Report, T) {
        let stop = AtomicBool::new(false);
        let workers = (0..self.kept).map(|_| true).chain((0..self.fresh).map(|_| false));
        std::thread::scope(|scope| {
            let stop = &stop;
            let handles: Vec<_> =
                workers.map(|keep| scope.spawn(move || worker(address, question, keep, self.every, stop))).collect();
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

fn worker(address: SocketAddr, question: &Question<'_>, keep: bool, every: Duration, stop: &AtomicBool) -> Report {
    let mut report = Report::default();
    let mut connection: Option<Connection> = None;
    let started = Instant::now();
    let mut due = started;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        due += every;
        match ask(connection.take(), address, question, keep) {
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
    question: &Question<'_>,
    keep: bool,
) -> Result<Option<Connection>, String> {
    let kind = if connection.is_some() { "kept" } else { "new" };
    let fail = |action: &str, why: String| format!("{kind} connection, {action}: {why}");
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(address).map_err(|error| fail("connect", error.to_string()))?,
    };
    let persistence = if keep { "Connection: keep-alive" } else { "Connection: close" };
    let answer = connection.ask(question.request, &[persistence], question.body);
    let answer = answer.map_err(|error| fail("ask", error.to_string()))?;
    if !(question.right)(&answer) {
        return Err(fail("answer", format!("{answer:?}")));
    }
    Ok((!answer.closes).then_some(connection))
}
