//! Waiting for services to be what was asked for: driven by watches alone, with the reason live on stderr, and an
//! early end when it can't succeed.

mod patience;
mod telling;

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use reach::Cluster;

use self::patience::{Patient, Verdict};
use self::telling::Teller;
use super::diagnose::Cause;
use super::progress::{self, Goal, Progress};
use super::watch::Watch;
use super::{logs, session};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

/// A rollout that goes well is over before this; one that takes longer is worth the watch on warnings.
const WARNINGS_AFTER: Duration = Duration::from_secs(2);

/// A service, and what is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) service: String,
    pub(crate) goal: Goal,
}

/// A wait, from its start to its deadline.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) printer: &'a Printer,
    /// "deploy service-a": for the error.
    pub(crate) action: String,
    pub(crate) timeout: Duration,
    /// When `timeout` began: it is for the whole command.
    pub(crate) since: Instant,
    /// What it waits for now, when that is not an answer of the API server.
    now: RefCell<Option<String>>,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        printer: &'a Printer,
        action: &str,
        timeout: Duration,
        since: Instant,
    ) -> Self {
        Self { cluster, printer, action: action.to_owned(), timeout, since, now: RefCell::default() }
    }

    /// `--timeout` is for all of a command, also for what comes before and after the rollout.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::time::timeout_at(self.since + self.timeout, work).await.unwrap_or_else(|_| {
            let now = self.now.take().unwrap_or_else(|| "the API server has not answered yet".to_owned());
            Err(self.late().why(now).next("a longer --timeout, when it only needs more time"))
        })
    }

    /// Says what is waited for from here on.
    pub(crate) fn tell(&self, what: String) {
        self.printer.live(vec![what.clone()]);
        self.now.replace(Some(what));
    }

    /// It has come.
    pub(crate) fn goes_on(&self) {
        self.now.replace(None);
        self.printer.clear_live();
    }

    /// The time is over.
    pub(crate) fn late(&self) -> Error {
        Error::new(ExitCode::TimedOut, format!("{} is not done after {:?}", self.action, self.timeout))
            .place(session::place(self.cluster))
            .next(format!("msctl status -n {}", self.cluster.namespace))
    }

    /// Returns as soon as an event says that every target is there: nothing is slept over.
    pub(crate) async fn until_done(&self, watch: &mut Watch, targets: &[Target]) -> Result<Vec<Progress>, Error> {
        let started = Instant::now();
        let deadline = self.since + self.timeout;
        let mut patient = Patient::default();
        let mut teller = Teller::new(started);
        let mut told = 0;
        loop {
            let now = Instant::now();
            let all: Vec<Progress> =
                targets.iter().map(|target| progress::of(&target.service, &target.goal, &watch.seen)).collect();
            if all.iter().all(|progress| progress.done) {
                self.printer.clear_live();
                return Ok(all);
            }
            let causes: Vec<Cause> = all.iter().flat_map(|progress| progress.causes.iter().cloned()).collect();
            let until = match patient.judge(&causes, now) {
                Verdict::Doomed(cause) => return Err(self.doomed(&cause, targets, &all).await),
                Verdict::Wait { until } => until,
            };
            if now >= deadline {
                return Err(self.timed_out(targets, &all, watch).await);
            }
            if now >= started + WARNINGS_AFTER || !causes.is_empty() {
                watch.watch_events();
            }
            for kind in watch.unseen.iter().skip(told) {
                self.printer.warning(&format!("may not watch {kind}: some reasons will be missing"));
            }
            told = watch.unseen.len();
            let tell = teller.tell(self.printer, lines(targets, &all, watch), &causes, now);
            let warnings = Some(started + WARNINGS_AFTER).filter(|&at| now < at);
            let wake = [until, tell, warnings].into_iter().flatten().fold(deadline, Instant::min);
            tokio::select! {
                changed = watch.changed() => changed?,
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    async fn doomed(&self, cause: &Cause, targets: &[Target], all: &[Progress]) -> Error {
        self.printer.clear_live();
        let namespace = &self.cluster.namespace;
        let service = troubled(cause, targets, all);
        if targets.iter().any(|target| matches!(target.goal, Goal::Gone { .. })) {
            return Error::new(ExitCode::Failed, format!("cannot {}: {service} will not go", self.action))
                .why(format!("{}: {}", cause.subject, cause.text))
                .place(session::place(self.cluster))
                .next(format!("msctl status {service} -n {namespace}"))
                .next(format!("msctl delete {service} -n {namespace}"));
        }
        let mut error =
            Error::new(ExitCode::RolloutFailed, format!("cannot {}: {service} will not become ready", self.action))
                .why(format!("{}: {}", cause.subject, cause.text));
        // What made a deadline pass says more than that it passed; what other pods suffer from too says no more.
        let mut told = vec![cause.kind];
        for other in all.iter().flat_map(|progress| &progress.causes) {
            if !told.contains(&other.kind) {
                told.push(other.kind);
                error = error.why(format!("{}: {}", other.subject, other.text));
            }
        }
        error = self.illustrate(error.place(session::place(self.cluster)), Some(cause), all).await;
        error.next(cause.remedy(namespace)).next(format!("msctl status {service} -n {namespace}"))
    }

    /// Adds the last log lines of the container that the cause is about, or of one that has any.
    async fn illustrate(&self, error: Error, cause: Option<&Cause>, all: &[Progress]) -> Error {
        let logged = all.iter().flat_map(|progress| &progress.causes).find_map(|other| other.log.as_ref());
        match cause.and_then(|cause| cause.log.as_ref()).or(logged) {
            Some(source) => {
                let title = format!("last log lines of {}", source.pod);
                error.quote(title, logs::last_lines(self.cluster, source).await)
            }
            None => error,
        }
    }

    async fn timed_out(&self, targets: &[Target], all: &[Progress], watch: &Watch) -> Error {
        self.printer.clear_live();
        let namespace = &self.cluster.namespace;
        let mut error = Error::new(ExitCode::TimedOut, format!("{} is not done after {:?}", self.action, self.timeout));
        let waiting = targets.iter().zip(all).filter(|(_, progress)| !progress.done);
        for (target, progress) in waiting {
            error = error.why(progress.line(&target.service));
        }
        if let Some(broken) = watch.broken() {
            error = error.why(format!("cannot watch {}: {}", broken.kind, broken.cause));
        }
        error = self.illustrate(error.place(session::place(self.cluster)), None, all).await;
        let cause = all.iter().find_map(|progress| progress.causes.first());
        error = cause.map_or_else(|| error.clone(), |cause| error.clone().next(cause.remedy(namespace)));
        error.next(format!("msctl status -n {namespace}")).next("a longer --timeout, when it only needs more time")
    }
}

/// A line for each service that is not there yet.
fn lines(targets: &[Target], all: &[Progress], watch: &Watch) -> Vec<String> {
    let unfinished = targets.iter().zip(all).filter(|(_, progress)| !progress.done);
    let mut lines: Vec<String> = unfinished.map(|(target, progress)| progress.line(&target.service)).collect();
    if let Some(broken) = watch.broken() {
        lines.push(format!("cannot watch {} ({}), trying again", broken.kind, broken.cause));
    }
    lines
}

/// The service that a cause belongs to.
fn troubled<'a>(cause: &Cause, targets: &'a [Target], all: &[Progress]) -> &'a str {
    let found = targets.iter().zip(all).find(|(_, progress)| progress.causes.contains(cause));
    found.map_or("it", |(target, _)| &target.service)
}

#[cfg(test)]
mod tests;
