//! Reading: what the files hold, then what comes.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::history::{self, Filter};
use super::{LogLine, Logs, Options};
use crate::Error;

/// Lines read ahead of who takes them.
const AHEAD: usize = 256;

type Sender = mpsc::Sender<Result<LogLine, Error>>;

pub(super) fn read(
    logs: &Logs,
    services: Vec<String>,
    options: &Options,
) -> BoxStream<'static, Result<LogLine, Error>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(run(logs.clone(), services, options.clone(), sender));
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|line| (line, receiver)) }).boxed()
}

/// A line is in its file before it is live, and a replica's lines have times of their own: so live lines that the files
/// had already are known by their time, and none is missed between both.
async fn run(store: Logs, services: Vec<String>, options: Options, sender: Sender) {
    let mut arriving = store.live.subscribe();
    let since = options.since().and_then(|since| {
        Timestamp::now().checked_sub(SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX)).ok()
    });
    let mut filter = Filter { tail: options.tail, since, after: BTreeMap::new() };
    if !past(&store, &services, &mut filter, &sender).await || !options.follow {
        return;
    }
    filter.tail = None;
    loop {
        let received = tokio::select! {
            received = arriving.recv() => received,
            () = sender.closed() => return,
        };
        let line = match received {
            Ok(line) => line,
            // The files have what went past.
            Err(RecvError::Lagged(_)) => {
                arriving = arriving.resubscribe();
                if !past(&store, &services, &mut filter, &sender).await {
                    return;
                }
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let known = filter.after.get(&line.replica).is_some_and(|after| line.time <= *after);
        if known || !services.contains(&line.service) {
            continue;
        }
        filter.after.insert(line.replica.clone(), line.time);
        if sender.send(Ok(LogLine::clone(&line))).await.is_err() {
            return;
        }
    }
}

/// What the files hold beyond the filter, which then knows the last line of each; false when nobody reads any more.
async fn past(logs: &Logs, services: &[String], filter: &mut Filter, sender: &Sender) -> bool {
    let (sources, known, output) = (logs.files_of(services), filter.clone(), sender.clone());
    let read = spawn_blocking(move || {
        let mut after = known.after.clone();
        for line in history::read(sources, &known) {
            after.insert(line.replica.clone(), line.time);
            if output.blocking_send(Ok(line)).is_err() {
                return None;
            }
        }
        Some(after)
    });
    match read.await {
        Ok(Some(after)) => {
            filter.after = after;
            true
        }
        Ok(None) => false,
        Err(error) => {
            let _ = sender.send(Err(Error::failed("cannot read the logs").why(error))).await;
            false
        }
    }
}
