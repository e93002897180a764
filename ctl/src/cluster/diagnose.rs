//! Why a rollout does not go on: from the state of its pods, `ReplicaSet`s and warnings to causes. Pure.

mod container;
pub(crate) mod held;
mod pod;
mod workload;

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;

use super::seen::Seen;
pub(crate) use crate::commands::status::Kind;
pub(crate) use pod::{activity, is_ready, of_pod};

/// How long a cause may last before the rollout counts as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It can't succeed: waiting is pointless.
    None,
    /// It may pass by itself, but not after this long.
    For(Duration),
    /// It may pass at any time.
    Unlimited,
}

/// The container whose last log lines tell more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSource {
    pub(crate) pod: String,
    pub(crate) container: String,
}

/// One reason why something is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The pod, or the Deployment; of what holds it up in its deletion, as kubectl writes it: `pod/x`.
    pub(crate) subject: String,
    pub(crate) kind: Kind,
    /// "cannot pull image x: not found"
    pub(crate) text: String,
    pub(crate) patience: Patience,
    pub(crate) log: Option<LogSource>,
}

impl Cause {
    pub(crate) fn new(subject: impl Into<String>, kind: Kind, patience: Patience, text: impl Into<String>) -> Self {
        Self { subject: subject.into(), kind, text: text.into(), patience, log: None }
    }

    /// What a person does about it.
    pub(crate) fn remedy(&self, namespace: &str) -> String {
        let subject = &self.subject;
        match self.kind {
            Kind::Image => "check the image's name and tag, and that the nodes can pull it (`imagePullSecrets` for a \
                            private registry; load it into kind or minikube)"
                .to_owned(),
            Kind::Crash => format!("kubectl logs {subject} -n {namespace} --previous"),
            Kind::Quota => format!("kubectl describe quota -n {namespace}"),
            Kind::Admission => format!("kubectl get namespace {namespace} --show-labels"),
            Kind::Scheduling => "lower what the pods ask for, or add nodes: `kubectl describe nodes`".to_owned(),
            Kind::Config | Kind::Volume | Kind::Probe | Kind::Sandbox | Kind::Evicted => {
                format!("kubectl describe pod {subject} -n {namespace}")
            }
            Kind::Finalizer => format!("kubectl get {subject} -n {namespace} -o yaml"),
            Kind::Deadline | Kind::Other => format!("kubectl describe deployment {subject} -n {namespace}"),
        }
    }
}

/// What keeps the Deployment's newest pods from being ready, the worst first.
pub(crate) fn of_rollout(deployment: &Deployment, seen: &Seen) -> Vec<Cause> {
    let mut causes = workload::causes(deployment, seen.newest_replica_set(deployment));
    for pod in seen.newest_pods(deployment) {
        causes.extend(of_pod(pod, seen.warnings_of(pod.uid().as_deref())));
    }
    causes.sort_by_key(|cause| (rank(cause.patience), cause.kind));
    causes
}

/// A deadline that passed says less than what made it pass.
fn rank(patience: Patience) -> u8 {
    match patience {
        Patience::None => 0,
        Patience::For(_) => 1,
        Patience::Unlimited => 2,
    }
}

#[cfg(test)]
mod tests;
