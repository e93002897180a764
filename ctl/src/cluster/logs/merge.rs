//! What is in several logs now, in the order of time.

use std::time::Duration;

use kube::core::Status;
use tokio::sync::mpsc;

use super::source::{Break, Lines, Part, Source};
use crate::cluster::{failure, session};
use crate::commands::logs::{Entry, LogLine};
use crate::error::{Error, ExitCode};
use reach::{Cluster, Trouble};

const PAUSE: Duration = Duration::from_millis(200);
/// Of a log that can't be read to its end.
const TRIES: u32 = 5;

type Out = mpsc::Sender<Result<Entry, Error>>;

/// One log, and its next line.
struct Head {
    source: Source,
    lines: Option<Lines>,
    next: Option<LogLine>,
    /// Why it was not read to its end.
    failed: Option<String>,
}

/// Sends every line that is there, and gives the logs back, each as far as it was read. False as second part: nobody
/// wants more. A log that can't be read does not keep the others from it; unless it is followed later, that is an error
/// in the end.
pub(in crate::cluster) async fn merge(
    cluster: &Cluster,
    sources: Vec<Source>,
    followed: bool,
    out: &Out,
) -> Result<(Vec<Source>, bool), Error> {
    let heads = sources.into_iter().map(|source| async move {
        let mut head = Head { source, lines: None, next: None, failed: None };
        head.advance(cluster, followed, out).await.map(|()| head)
    });
    let mut heads = futures::future::try_join_all(heads).await?;
    loop {
        // Without a time a line stays where it is in its log.
        let oldest = heads.iter_mut().filter(|head| head.next.is_some()).min_by_key(|head| {
            let line = head.next.as_ref();
            line.and_then(|line| line.time)
        });
        let Some(head) = oldest else { break };
        if let Some(line) = head.next.take()
            && out.send(Ok(Entry::Line(line))).await.is_err()
        {
            return Ok((Vec::new(), false));
        }
        head.advance(cluster, followed, out).await?;
    }
    let failed: Vec<&String> = heads.iter().filter_map(|head| head.failed.as_ref()).collect();
    if !followed && !failed.is_empty() {
        let error = Error::new(ExitCode::Failed, "cannot read all logs").place(session::place(cluster));
        return Err(failed.into_iter().fold(error, Error::why).next("msctl status shows the pods"));
    }
    Ok((heads.into_iter().map(|head| head.source).collect(), true))
}

impl Head {
    /// Reads the next line; after a break from where it was.
    async fn advance(&mut self, cluster: &Cluster, followed: bool, out: &Out) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let cause = match &mut self.lines {
                Some(lines) => match self.source.next(lines).await {
                    Ok(line) => {
                        self.next = Some(line);
                        return Ok(());
                    }
                    Err(Break::End) => {
                        // Who follows it gets the whole line.
                        self.next = if followed { None } else { self.source.rest(lines) };
                        return Ok(());
                    }
                    Err(Break::Broken(cause)) => cause.to_string(),
                },
                None => match self.source.open(Part::Now).await {
                    Ok(lines) => {
                        self.lines = Some(lines);
                        continue;
                    }
                    Err(kube::Error::Api(status)) if has_no_log(&status) => {
                        let Status { message, .. } = *status;
                        let _ = out.send(Ok(Entry::Note(format!("{}: {message}", self.source.container().pod)))).await;
                        // Its first run is still to come.
                        self.source.new_run();
                        return Ok(());
                    }
                    Err(cause) if is_final(&cause) => {
                        let action = format!("read the log of pod {}", self.source.container().pod);
                        return Err(failure::explain(cluster, &action, cause));
                    }
                    Err(cause) => cluster.explain("read the log", cause).cause,
                },
            };
            self.lines = None;
            tries += 1;
            if tries == TRIES {
                let pod = &self.source.container().pod;
                let what = if self.source.is_new() { "cannot be read" } else { "breaks off here" };
                let _ = out.send(Ok(Entry::Note(format!("{pod}: its log {what}: {cause}")))).await;
                self.failed = Some(format!("{pod}: {cause}"));
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The container has not run yet, or its pod is gone.
pub(super) fn has_no_log(status: &Status) -> bool {
    matches!(status.code, 400 | 404)
}

/// Trying again does not help.
pub(super) fn is_final(cause: &kube::Error) -> bool {
    matches!(Trouble::of(cause), Trouble::Forbidden | Trouble::Unauthorized | Trouble::Untrusted)
}
