//! A container's log as it is written, through restarts and broken connections, to the end of its pod.

use std::time::Duration;

use reach::{Cluster, Trouble};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::containers::State;
use super::merge::{has_no_log, is_final};
use super::source::{Break, Part, Source};
use crate::cluster::failure;
use crate::commands::logs::Entry;
use crate::error::Error;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// Of reading what a run left that is over; it may be taken away at any time.
const TRIES: u32 = 5;
/// The kubelet says what became of a container some time after its log came to an end.
const STATUS_LAG: Duration = Duration::from_secs(1);
/// A log that still comes when its pod is gone is read this much longer: the node may be gone too, and never say so.
const AFTERWARDS: Duration = Duration::from_secs(10);

type Out = mpsc::Sender<Result<Entry, Error>>;

/// How a reading ended.
enum Ended {
    /// With the answer; true with the run itself, false if there may be more of it.
    Here(bool),
    /// The connection was lost, or there was none.
    Broken(String),
    /// There is no such log (yet).
    None,
    /// The API server had nothing to say for so long that the request was given up: a service may well be silent.
    Silent,
    /// Nobody wants more.
    Unwanted,
}

/// Sends lines until the pod is gone. An error is one that trying again does not cure.
pub(in crate::cluster) async fn follow(
    cluster: Cluster,
    mut source: Source,
    mut state: watch::Receiver<State>,
    out: Out,
) -> Result<(), Error> {
    let mut reading: Option<String> = None;
    let mut done: Option<String> = None;
    let mut failures = 0_u32;
    loop {
        let Some(run) = next_run(&mut state, done.as_ref()).await else { return Ok(()) };
        let last = reading.as_ref().or(done.as_ref());
        if last.is_some_and(|last| *last != run) {
            if reading.is_some() && !source.is_asked() {
                // It was started again while the connection was lost: its last lines are in the log of the run before.
                let mut tries = 0..TRIES;
                while tries.next().is_some()
                    && let Ended::Broken(_) = read(&cluster, &mut source, Part::Previous, &run, &state, &out).await?
                {
                    sleep(FIRST_RETRY).await;
                }
            }
            source.new_run();
        }
        reading = Some(run.clone());
        // What is there is read on its own if not all of it is wanted: where that ends, the lines that come begin.
        let part = if source.is_asked() { Part::Now } else { Part::Follow };
        match read(&cluster, &mut source, part, &run, &state, &out).await? {
            Ended::Unwanted => return Ok(()),
            Ended::Here(false) if part == Part::Now => failures = 0,
            Ended::Here(true) => {
                failures = 0;
                done = Some(run);
                reading = None;
            }
            Ended::Here(false) => {
                failures = 0;
                // It may have ended just now, or only the connection has: the next reading tells.
                let _ = timeout(STATUS_LAG, state.changed()).await;
            }
            Ended::Silent => {}
            Ended::None if state.borrow().gone => return Ok(()),
            Ended::None => drop(timeout(STATUS_LAG, state.changed()).await),
            Ended::Broken(cause) => {
                failures += 1;
                // The first break is ordinary: a load balancer's time limit, a restarted API server.
                if failures == 2 {
                    let note = format!("{}: its log cannot be read, trying again: {cause}", source.container().pod);
                    let _ = out.send(Ok(Entry::Note(note))).await;
                }
                sleep(FIRST_RETRY.saturating_mul(1 << failures.min(10)).min(LAST_RETRY)).await;
            }
        }
    }
}

/// Waits for a run that was not read to its end; none when there will be no more.
async fn next_run(state: &mut watch::Receiver<State>, done: Option<&String>) -> Option<String> {
    loop {
        {
            let now = state.borrow_and_update();
            match &now.run {
                Some(run) if Some(run) != done => return Some(run.clone()),
                _ if now.gone => return None,
                _ => {}
            }
        }
        state.changed().await.ok()?;
    }
}

fn has_ended(state: &State, run: &str) -> bool {
    state.gone || state.ended || state.run.as_deref() != Some(run)
}

async fn read(
    cluster: &Cluster,
    source: &mut Source,
    part: Part,
    run: &str,
    state: &watch::Receiver<State>,
    out: &Out,
) -> Result<Ended, Error> {
    let mut lines = match source.open(part).await {
        Ok(lines) => lines,
        Err(kube::Error::Api(status)) if has_no_log(&status) => return Ok(Ended::None),
        Err(cause) if is_final(&cause) => {
            return Err(failure::explain(cluster, &format!("read the log of pod {}", source.container().pod), cause));
        }
        // The kubelet sends the head of its answer with the first line.
        Err(cause) if Trouble::of(&cause) == Trouble::TimedOut => return Ok(Ended::Silent),
        Err(cause) => return Ok(Ended::Broken(cluster.explain("read the log", cause).cause)),
    };
    let gone = long_gone(state.clone());
    tokio::pin!(gone);
    loop {
        let line = tokio::select! {
            biased;
            line = source.next(&mut lines) => line,
            () = &mut gone => return Ok(Ended::Here(true)),
            () = out.closed() => return Ok(Ended::Unwanted),
        };
        match line {
            Ok(line) => {
                if out.send(Ok(Entry::Line(line))).await.is_err() {
                    return Ok(Ended::Unwanted);
                }
            }
            Err(Break::End) => {
                let over = part == Part::Previous || (part == Part::Follow && has_ended(&state.borrow(), run));
                // Of a run that goes on, the connection ended amid a line.
                if over
                    && let Some(line) = source.rest(&mut lines)
                    && out.send(Ok(Entry::Line(line))).await.is_err()
                {
                    return Ok(Ended::Unwanted);
                }
                return Ok(Ended::Here(over));
            }
            Err(Break::Broken(cause)) => return Ok(Ended::Broken(cause.to_string())),
        }
    }
}

async fn long_gone(mut state: watch::Receiver<State>) {
    if state.wait_for(|state| state.gone).await.is_ok() {
        sleep(AFTERWARDS).await;
    } else {
        std::future::pending::<()>().await;
    }
}
