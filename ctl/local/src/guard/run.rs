//! The guard's loop: orders, ended children, and the end.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::children::Children;
use super::message::{Order, Report};
use super::sweep;

/// A guard whose supervisor was killed may still be at work: it holds the lock until nothing is left.
const LOCK: Duration = Duration::from_secs(10);

/// Runs the guard until its stdin, a pipe, ends. Returns when nothing that it started is left.
pub fn run() -> io::Result<()> {
    // For its signals only: what it does, it does one thing after the other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // Held until nothing is left.
    let mut lock = None;
    let served = runtime.block_on(serve(&mut lock));
    sweep::end_all();
    served
}

async fn serve(lock: &mut Option<File>) -> io::Result<()> {
    let mut ended = signal(SignalKind::child())?;
    let _survived = survive()?;
    prctl::set_child_subreaper(true)?;
    // Copies, which are closed on exec; children get other files as 0, 1 and 2.
    let input = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut orders = BufReader::new(input).lines();
    let mut reports = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut children = Children::default();
    loop {
        let answers = tokio::select! {
            order = next(&mut orders) => match order? {
                Some(Order::Lock { path }) => vec![take(&path, lock)],
                Some(Order::Spawn(command)) => vec![children.spawn(&command)],
                Some(Order::Signal { id, signal }) => {
                    children.signal(id, signal);
                    continue;
                }
                None => return Ok(()),
            },
            _ = ended.recv() => children.reap(),
        };
        if !report(&mut reports, &answers) {
            return Ok(());
        }
    }
}

/// A guard that Ctrl-C could end, or a terminal that goes away, would be gone when it is needed.
///
/// Handlers that do nothing: a child would inherit signals that are ignored or blocked (std leaves both as they are), but
/// a handler ends with exec.
fn survive() -> io::Result<Vec<Signal>> {
    [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()]
        .map(signal)
        .into_iter()
        .collect()
}

/// None at the end of the input. Cancel safe.
async fn next(orders: &mut Lines<BufReader<pipe::Receiver>>) -> io::Result<Option<Order>> {
    let Some(line) = orders.next_line().await? else { return Ok(None) };
    Ok(Some(serde_json::from_str(&line)?))
}

/// Waits for the guard of a supervisor that was killed a moment ago.
fn take(path: &Path, lock: &mut Option<File>) -> Report {
    let deadline = Instant::now() + LOCK;
    let taken = File::options().create(true).truncate(false).write(true).open(path).and_then(|file| {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // Nothing else is to be done before.
                Err(std::fs::TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(error.into()),
            }
        }
    });
    match taken {
        Ok(file) => {
            *lock = Some(file);
            Report::Ready
        }
        Err(error) => Report::NotReady { why: format!("cannot lock {}: {error}", path.display()) },
    }
}

/// False when nobody reads any more.
fn report(output: &mut File, reports: &[Report]) -> bool {
    let mut lines = Vec::new();
    for report in reports {
        // Serialising these types into memory can't fail.
        if serde_json::to_writer(&mut lines, report).is_ok() {
            lines.push(b'\n');
        }
    }
    output.write_all(&lines).is_ok()
}
