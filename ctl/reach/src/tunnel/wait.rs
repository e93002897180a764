//! From a Job to a relay that answers: a watch for reasons, and a port-forward tried again and again.
//!
//! A pod counts as running a second after its container does. The port-forward works as soon as the relay listens, so it
//! is tried every 20 ms from the moment that the pod has a node.

use std::pin::Pin;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{WatchEvent, WatchParams};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::diagnose::{self, Verdict};
use super::session::{Established, Session};
use super::start::Starter;
use super::{AttachError, TunnelError, is_final};
use crate::client::Trouble;

/// Between two tries of the port-forward.
const TRY_EVERY: Duration = Duration::from_millis(20);
/// Between two looks at why there is no pod.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const REOPEN_AFTER: Duration = Duration::from_millis(100);

type Pods = BoxStream<'static, Result<WatchEvent<Pod>, kube::Error>>;

pub(super) struct Wait<'a> {
    starter: &'a Starter<'a>,
    job: &'a str,
    /// This run made the Job: if its pod fails, so would the next one.
    fresh: bool,
    /// Its pod exists; what that waits for is known from its status.
    seen: bool,
    /// Its pod, once it has a node.
    pod: Option<String>,
    watch: Option<Pods>,
    attempt: Option<BoxFuture<'a, Result<Session, AttachError>>>,
}

/// What to do after something was seen.
enum Step {
    Go,
    Done(Session),
    /// The pod is gone: begin again with the Job.
    Again,
}

impl<'a> Wait<'a> {
    pub(super) fn new(starter: &'a Starter<'a>, job: &'a str, fresh: bool) -> Self {
        Self { starter, job, fresh, seen: false, pod: None, watch: None, attempt: None }
    }

    /// The relay's connection; none when another Job is needed.
    pub(super) async fn run(mut self) -> Result<Option<Session>, TunnelError> {
        let mut tries = ticking(TRY_EVERY);
        let mut looks = ticking(LOOK_EVERY);
        looks.reset();
        loop {
            if self.watch.is_none() {
                self.watch = Some(open_watch(self.starter).await?);
            }
            let step = tokio::select! {
                event = next(&mut self.watch) => self.seen(event).await?,
                attempt = finished(&mut self.attempt) => {
                    self.attempt = None;
                    self.attempted(attempt)?
                }
                _ = tries.tick(), if self.attempt.is_none() && self.pod.is_some() => {
                    self.attempt = self.pod.clone().map(|pod| self.attach(pod));
                    Step::Go
                }
                _ = looks.tick(), if self.pod.is_none() => self.look().await?,
            };
            match step {
                Step::Go => {}
                Step::Done(session) => return Ok(Some(session)),
                Step::Again => return Ok(None),
            }
        }
    }

    fn attach(&self, pod: String) -> BoxFuture<'a, Result<Session, AttachError>> {
        let inner = self.starter.inner;
        async move { inner.attach(&pod, Established::OnAnswer).await }.boxed()
    }

    async fn seen(&mut self, event: Option<Result<WatchEvent<Pod>, kube::Error>>) -> Result<Step, TunnelError> {
        match event {
            Some(Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod))) if self.is_ours(&pod) => self.judge(&pod),
            Some(Ok(WatchEvent::Deleted(pod))) if self.is_ours(&pod) => Ok(Step::Again),
            Some(Ok(WatchEvent::Error(_)) | Err(_)) | None => {
                self.watch = None;
                sleep(REOPEN_AFTER).await;
                Ok(Step::Go)
            }
            Some(Ok(_)) => Ok(Step::Go),
        }
    }

    fn is_ours(&self, pod: &Pod) -> bool {
        diagnose::belongs_to(pod, self.job)
    }

    fn judge(&mut self, pod: &Pod) -> Result<Step, TunnelError> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        self.seen = true;
        if diagnose::has_node(pod) {
            self.pod = Some(name.clone());
        }
        match diagnose::pod(pod) {
            Verdict::Running => {
                self.starter.note_waiting("it to listen");
                Ok(Step::Go)
            }
            Verdict::Waiting(reason) => {
                self.starter.note_waiting(&reason);
                Ok(Step::Go)
            }
            // One that failed before we came says nothing about the next one.
            Verdict::Doomed { .. } if !self.fresh && has_ended(pod) => Ok(Step::Again),
            Verdict::Doomed { reason, message } => Err(TunnelError::Doomed {
                namespace: self.starter.inner.options.namespace.clone(),
                pod: name,
                image: self.starter.inner.options.image.clone(),
                reason,
                message,
            }),
            Verdict::Gone(_) => Ok(Step::Again),
        }
    }

    fn attempted(&mut self, attempt: Result<Session, AttachError>) -> Result<Step, TunnelError> {
        match attempt {
            Ok(session) => Ok(Step::Done(session)),
            Err(AttachError::Api(error)) if is_final(&error) => {
                let pod = self.pod.clone().unwrap_or_default();
                Err(self.starter.inner.cannot_forward(&pod, error))
            }
            // In this order: 400 not scheduled, 500 unknown to the kubelet, connection refused. The watch says more.
            Err(error) => {
                tracing::trace!(%error, "the relay does not answer yet");
                if matches!(&error, AttachError::Api(error) if Trouble::of(error) == Trouble::NotFound) {
                    self.pod = None;
                }
                Ok(Step::Go)
            }
        }
    }

    /// No pod for a while: is the Job still there, and may it make one?
    async fn look(&mut self) -> Result<Step, TunnelError> {
        let job = self.starter.jobs.get_opt(&self.starter.inner.identity.name).await;
        let job = job.map_err(|error| self.starter.api_error("get the relay's job", error))?;
        let Some(job) = job.filter(|job| job.metadata.uid.as_deref() == Some(self.job)) else { return Ok(Step::Again) };
        if diagnose::finished(&job).is_some() && !self.fresh {
            return Ok(Step::Again);
        }
        if let Some(error) = self.starter.not_admitted(self.job).await {
            return Err(error);
        }
        if diagnose::finished(&job).is_some() {
            return Ok(Step::Again);
        }
        if !self.seen {
            self.starter.note_waiting("the job controller to make its pod");
        }
        Ok(Step::Go)
    }
}

async fn open_watch(starter: &Starter<'_>) -> Result<Pods, TunnelError> {
    let params = WatchParams::default().labels(&starter.inner.identity.selector()).timeout(60);
    // Version 0: what is there comes first, as if it had just been added; no list is needed.
    let watch = starter.pods.watch(&params, "0").await;
    Ok(watch.map_err(|error| starter.api_error("watch pods", error))?.boxed())
}

fn has_ended(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")))
}

fn ticking(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn next(watch: &mut Option<Pods>) -> Option<Result<WatchEvent<Pod>, kube::Error>> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

async fn finished<T>(attempt: &mut Option<BoxFuture<'_, T>>) -> T {
    match attempt {
        Some(attempt) => Pin::new(attempt).await,
        None => std::future::pending().await,
    }
}
