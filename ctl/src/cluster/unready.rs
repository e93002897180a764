//! Why nobody answers for a service: its pods, by the diagnosis that `status` shows. A look is best effort: who may
//! not list them can call all the same.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use reach::Cluster;

use super::deployed::{self, Query, Scope};
use super::diagnose::{self, Cause, Kind, Patience};
use super::seen::Seen;
use crate::error::{Error, ExitCode};

/// Causes in an error: those of further pods are mostly the first one's.
const SHOWN: usize = 3;

/// A service without a pod that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unready {
    wanted: i32,
    /// `POD: REASON`, the worst first.
    reasons: Vec<String>,
    /// It stays so, whoever waits.
    doomed: bool,
}

/// `None` also when it can't be known.
pub(crate) async fn look(cluster: &Cluster, name: &str, namespace: &str) -> Option<Unready> {
    let cluster = Cluster { namespace: namespace.to_owned(), ..cluster.clone() };
    let services = [name.to_owned()];
    let query = Query { scope: Scope::Namespace, selector: None, services: &services };
    let seen = deployed::look(&cluster, &query).await.ok()?;
    let seen = seen.get(namespace)?;
    of(seen.deployments.get(name)?, seen)
}

fn of(deployment: &Deployment, seen: &Seen) -> Option<Unready> {
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
    if ready > 0 {
        return None;
    }
    let causes = diagnose::of_rollout(deployment, seen);
    // A container that crashes may find tomorrow what it lacks; an image that does not exist is not there for any pod.
    let never = |pod: &Pod| {
        let of_pod = |cause: &&Cause| cause.subject == pod.name_any();
        causes.iter().filter(of_pod).any(|cause| cause.kind == Kind::Image && cause.patience == Patience::None)
    };
    let name = deployment.name_any();
    let mut pods = seen.pods.of(&name).peekable();
    let doomed = pods.peek().is_some() && pods.all(never);
    let mut reasons: Vec<String> =
        causes.into_iter().take(SHOWN).map(|cause| format!("{}: {}", cause.subject, cause.text)).collect();
    if reasons.is_empty() {
        let doing = seen.newest_pods(deployment).find_map(|pod| Some((pod.name_any(), diagnose::activity(pod)?)));
        reasons.extend(doing.map(|(pod, doing)| format!("{pod}: {doing}")));
    }
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    Some(Unready { wanted, reasons, doomed })
}

impl Unready {
    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed
    }

    /// The error when waiting is pointless.
    pub(crate) fn error(&self, name: &str, namespace: &str) -> Error {
        let error = Error::new(ExitCode::Failed, format!("cannot call {name}: none of its pods can become ready"));
        let error = self.reasons.iter().fold(error, |error, reason| error.why(reason.clone()));
        error.next(format!("msctl status {name} -n {namespace}"))
    }
}

/// `0/2 ready: POD: REASON`, as `status` has them in its columns.
impl std::fmt::Display for Unready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0/{} ready", self.wanted)?;
        match self.reasons.first() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::fixtures::{container, ready, rollout};
    use serde_json::{Value, json};

    fn waiting(reason: &str, message: &str) -> Value {
        container(&json!({ "state": { "waiting": { "reason": reason, "message": message } } }))
    }

    #[test]
    fn pods_that_are_not_ready_say_why_and_whether_to_wait() {
        for (status, doomed, said) in [
            (
                waiting("ImagePullBackOff", "failed to resolve reference x: not found"),
                true,
                "0/1 ready: service-a-1-x: cannot pull image ghcr.io/x/y:1: not found",
            ),
            (
                waiting("CreateContainerConfigError", "secret \"db\" not found"),
                false,
                "0/1 ready: service-a-1-x: container service-a has a wrong configuration: secret \"db\" not found",
            ),
            (
                waiting("CrashLoopBackOff", "back-off 10s restarting failed container"),
                false,
                "0/1 ready: service-a-1-x: container service-a keeps crashing",
            ),
            (
                waiting("ContainerCreating", ""),
                false,
                "0/1 ready: service-a-1-x: pulling the image of service-a, or starting it",
            ),
        ] {
            let seen = rollout().with_one_pod(&status).seen();
            let unready = of(seen.deployments.get("service-a").unwrap(), &seen).unwrap();
            assert!(unready.to_string().starts_with(said), "{unready}");
            assert_eq!(unready.is_doomed(), doomed, "{unready}");
        }
        // A pod that can't pull says nothing about the others.
        let seen = rollout()
            .deployment(1, 1, "1", json!({ "replicas": 2 }))
            .replica_set("service-a-1", "1", "1")
            .pod("service-a-1-x", "1", &waiting("ErrImageNeverPull", ""))
            .pod("service-a-1-y", "1", &waiting("ContainerCreating", ""))
            .seen();
        assert!(!of(seen.deployments.get("service-a").unwrap(), &seen).unwrap().is_doomed());
    }

    #[test]
    fn a_service_with_a_ready_pod_is_answered_for_whatever_ails_the_others() {
        let seen = rollout()
            .deployment(1, 1, "1", json!({ "replicas": 2, "readyReplicas": 1 }))
            .replica_set("service-a-1", "1", "1")
            .pod("service-a-1-x", "1", &ready())
            .pod("service-a-1-y", "1", &waiting("InvalidImageName", ""))
            .seen();
        assert_eq!(of(seen.deployments.get("service-a").unwrap(), &seen), None);
    }
}
