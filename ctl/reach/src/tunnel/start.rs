//! From no relay to one that answers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use tokio::time::{sleep, timeout};

use super::diagnose::{self, Verdict};
use super::objects::NONCE;
use super::session::{Established, Session};
use super::wait::Wait;
use super::{AttachError, Inner, Progress, TunnelError, is_final, objects};
use crate::client::Trouble;

/// Between two looks at something that will change within milliseconds.
const SOON: Duration = Duration::from_millis(50);
/// How often a Job is looked for that may be about to appear.
const LOOKS: usize = 10;
/// For removing what could not be used.
const CLEAN_UP: Duration = Duration::from_secs(3);

/// Finds the relay or makes one; says whether it was made. Whatever was made and can't be used is removed again, also
/// when the caller gives up.
pub(super) async fn start(inner: &Inner) -> Result<(Session, bool), TunnelError> {
    let starter = Starter::new(inner);
    let limit = inner.options.start_timeout;
    let outcome = tokio::select! {
        biased;
        () = inner.options.cancel.cancelled() => Err(TunnelError::Cancelled),
        outcome = timeout(limit, starter.run()) => outcome.unwrap_or_else(|_| Err(starter.timed_out(limit))),
    };
    match outcome {
        Ok(session) => Ok((session, starter.keep())),
        Err(error) => {
            starter.clean_up(&error).await;
            Err(error)
        }
    }
}

/// What is known of the attempt so far.
#[derive(Debug, Default)]
struct Notes {
    job: Option<String>,
    made: bool,
    /// A request that makes one is under way: whether it was made, its answer would say.
    creating: bool,
    /// The uid of a Job whose pod is gone: it makes no other one, and will be finished in a second or so.
    spent: Option<String>,
    waiting_for: String,
}

pub(super) struct Starter<'a> {
    pub(super) inner: &'a Inner,
    pub(super) jobs: Api<Job>,
    pub(super) pods: Api<Pod>,
    nonce: String,
    notes: Mutex<Notes>,
}

impl<'a> Starter<'a> {
    fn new(inner: &'a Inner) -> Self {
        let namespace = &inner.options.namespace;
        Self {
            inner,
            jobs: Api::namespaced(inner.client.clone(), namespace),
            pods: Api::namespaced(inner.client.clone(), namespace),
            nonce: objects::nonce(),
            notes: Mutex::default(),
        }
    }

    async fn run(&self) -> Result<Session, TunnelError> {
        if let Some(session) = self.running().await? {
            return Ok(session);
        }
        loop {
            let job = self.ensure_job().await?;
            let made = self.made_it();
            // The policy is applied while the pod is being scheduled.
            let policy = async {
                if made {
                    self.apply_policy(&job).await;
                }
            };
            let ((), waited) = tokio::join!(policy, Wait::new(self, &job, made).run());
            if let Some(session) = waited? {
                return Ok(session);
            }
            self.notes().spent = Some(job);
        }
    }

    /// A relay that runs already.
    async fn running(&self) -> Result<Option<Session>, TunnelError> {
        let list = ListParams::default().labels(&self.inner.identity.selector());
        let pods = self.pods.list(&list).await.map_err(|error| self.api_error("list pods", error))?;
        for pod in pods.items.iter().filter(|pod| diagnose::pod(pod) == Verdict::Running) {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            match self.inner.attach_soon(name, Established::OnAnswer).await {
                Ok(session) => return Ok(Some(session)),
                // Its node is gone, most likely, which the cluster notices only after minutes: its Job is replaced.
                Err(error) if error.is_silence() => {
                    tracing::debug!(pod = name, %error, "the relay is silent");
                    self.notes().spent = diagnose::owner(pod);
                }
                Err(AttachError::Api(error)) if is_final(&error) => return Err(self.inner.cannot_forward(name, error)),
                // It is only just starting, or ending: what follows finds out.
                Err(error) => tracing::debug!(pod = name, %error, "the relay does not answer"),
            }
        }
        Ok(None)
    }

    /// The uid of a Job that has not finished: one of ours from before, or a new one.
    async fn ensure_job(&self) -> Result<String, TunnelError> {
        let name = &self.inner.identity.name;
        loop {
            let job = objects::job(&self.inner.identity, &self.inner.options, &self.nonce);
            let post = PostParams { field_manager: Some(objects::FIELD_MANAGER.to_owned()), ..PostParams::default() };
            self.notes().creating = true;
            let answer = self.jobs.create(&post, &job).await;
            // Without an answer it may have been made all the same.
            self.notes().creating = matches!(&answer, Err(error) if !matches!(error, kube::Error::Api(_)));
            match answer {
                Ok(job) => {
                    self.inner.options.report(&Progress::Creating { job: name.clone() });
                    let uid = job.metadata.uid.unwrap_or_default();
                    let mut notes = self.notes();
                    notes.made = true;
                    notes.job = Some(uid.clone());
                    return Ok(uid);
                }
                Err(error) if Trouble::of(&error) == Trouble::Conflict => {
                    if let Some(uid) = self.unfinished_job().await? {
                        self.notes().job = Some(uid.clone());
                        return Ok(uid);
                    }
                }
                Err(error) => return Err(self.api_error("create the relay's job", error)),
            }
        }
    }

    /// The Job that is there, unless it has finished: then it is removed, which ends the wait for its name.
    async fn unfinished_job(&self) -> Result<Option<String>, TunnelError> {
        let name = &self.inner.identity.name;
        let mut told = false;
        loop {
            let Some(job) =
                self.jobs.get_opt(name).await.map_err(|error| self.api_error("get the relay's job", error))?
            else {
                return Ok(None);
            };
            let uid = job.metadata.uid.clone().unwrap_or_default();
            let Some(why) = diagnose::finished(&job).or_else(|| self.is_spent(&uid)) else { return Ok(Some(uid)) };
            if !told {
                self.inner.options.report(&Progress::Replacing { job: name.clone(), why });
                self.note_waiting("the old relay to be removed");
                told = true;
            }
            if job.metadata.deletion_timestamp.is_none() {
                let deleted = delete_job(&self.jobs, name, &uid).await;
                deleted.map_err(|error| self.api_error("remove the old relay's job", error))?;
            }
            sleep(SOON).await;
        }
    }

    fn is_spent(&self, uid: &str) -> Option<String> {
        let spent = self.notes().spent.as_deref() == Some(uid);
        spent.then(|| "the pod of the old one is gone".to_owned())
    }

    /// Without it the relay works wherever the namespace has no policy of its own.
    async fn apply_policy(&self, job_uid: &str) {
        let inner = self.inner;
        let policies: Api<NetworkPolicy> = Api::namespaced(inner.client.clone(), &inner.options.namespace);
        let policy = objects::network_policy(&inner.identity, &inner.options, job_uid);
        let params = PatchParams::apply(objects::FIELD_MANAGER).force();
        if let Err(error) = policies.patch(&inner.identity.name, &params, &Patch::Apply(&policy)).await {
            let error = self.api_error("apply the relay's network policy", error);
            inner.options.report(&Progress::Warning {
                message: format!("{error}; where policies restrict pods, calls may time out"),
            });
        }
    }

    /// What the Job controller reported about pods that it could not create: quota, Pod Security, webhooks.
    pub(super) async fn not_admitted(&self, job_uid: &str) -> Option<TunnelError> {
        let events: Api<Event> = Api::namespaced(self.inner.client.clone(), &self.inner.options.namespace);
        let fields = format!("involvedObject.uid={job_uid},reason=FailedCreate");
        let found = events.list(&ListParams::default().fields(&fields)).await.ok()?;
        let message = found.items.into_iter().filter_map(|event| event.message).next_back()?;
        Some(TunnelError::NotAdmitted { namespace: self.inner.options.namespace.clone(), message })
    }

    pub(super) fn note_waiting(&self, reason: &str) {
        let mut notes = self.notes();
        if notes.waiting_for != reason {
            reason.clone_into(&mut notes.waiting_for);
            drop(notes);
            self.inner.options.report(&Progress::Waiting { reason: reason.to_owned() });
        }
    }

    pub(super) fn api_error(&self, action: &str, error: kube::Error) -> TunnelError {
        let namespace = &self.inner.options.namespace;
        TunnelError::api(&self.inner.server, namespace, format!("{action} in {namespace}"), error)
    }

    fn timed_out(&self, after: Duration) -> TunnelError {
        let reason = self.notes().waiting_for.clone();
        TunnelError::TimedOut {
            namespace: self.inner.options.namespace.clone(),
            job: self.inner.identity.name.clone(),
            after,
            waiting_for: if reason.is_empty() { "the API server".to_owned() } else { reason },
        }
    }

    fn made_it(&self) -> bool {
        self.notes().made
    }

    /// It works: nothing is to be removed. Says whether it was made here.
    fn keep(&self) -> bool {
        let mut notes = self.notes();
        notes.job = None;
        notes.made
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a Job that can't be used. One that somebody else is waiting for stays when it was only us who gave up.
    async fn clean_up(&self, error: &TunnelError) {
        let (job, made, creating) = {
            let mut notes = self.notes();
            (notes.job.take(), notes.made, std::mem::take(&mut notes.creating))
        };
        let useless = matches!(
            error,
            TunnelError::Doomed { .. } | TunnelError::NotAdmitted { .. } | TunnelError::TimedOut { .. }
        );
        let (jobs, name) = (&self.jobs, &self.inner.identity.name);
        let removal = async {
            match job {
                Some(uid) if made || useless => delete_job(jobs, name, &uid).await,
                _ if creating => delete_unseen(jobs, name, &self.nonce).await,
                _ => Ok(()),
            }
        };
        match timeout(CLEAN_UP, removal).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "cannot remove the relay's job"),
            Err(_) => tracing::debug!("removing the relay's job takes too long"),
        }
    }
}

impl Drop for Starter<'_> {
    /// Dropped in the middle of it, without the cancellation that would have waited: what was made goes all the same,
    /// if the runtime lives long enough.
    fn drop(&mut self) {
        let mut notes = self.notes();
        let (job, creating) = (notes.job.take().filter(|_| notes.made), notes.creating);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (jobs, name, nonce) = (self.jobs.clone(), self.inner.identity.name.clone(), self.nonce.clone());
        match job {
            Some(uid) => drop(runtime.spawn(async move { delete_job(&jobs, &name, &uid).await })),
            None if creating => drop(runtime.spawn(async move { delete_unseen(&jobs, &name, &nonce).await })),
            None => {}
        }
    }
}

async fn delete_job(jobs: &Api<Job>, name: &str, uid: &str) -> Result<(), kube::Error> {
    let precondition = Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() };
    match jobs.delete(name, &DeleteParams::background().preconditions(precondition)).await {
        Ok(_) => Ok(()),
        // Gone already, or another one by now.
        Err(error) if matches!(Trouble::of(&error), Trouble::NotFound | Trouble::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a Job whose making was given up before there was an answer, if it came to be and is ours.
async fn delete_unseen(jobs: &Api<Job>, name: &str, nonce: &str) -> Result<(), kube::Error> {
    for _ in 0..LOOKS {
        if let Some(Job { metadata, .. }) = jobs.get_opt(name).await? {
            let ours = metadata.annotations.is_some_and(|all| all.get(NONCE).is_some_and(|its| its == nonce));
            return match metadata.uid.filter(|_| ours) {
                Some(uid) => delete_job(jobs, name, &uid).await,
                None => Ok(()),
            };
        }
        // The API server may still be at it.
        sleep(SOON).await;
    }
    Ok(())
}
