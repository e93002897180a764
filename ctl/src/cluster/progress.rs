//! How far a service is from what is wanted of it. Pure.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::diagnose::{self, Cause, Kind, Patience, held};
use super::seen::Seen;
use super::{STABLE, TRACK_LABEL};

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The template of this generation (or a newer one) runs in as many pods as the Deployment wants, all available,
    /// and no other pod is left.
    Rollout { generation: i64 },
    /// This many pods are ready, and no pod beyond them is left, ending ones included.
    Replicas { count: i32 },
    /// Ready, with as many pods as an autoscaler between these bounds wants.
    Between { min: i32, max: i32 },
    /// The Deployment and its pods are gone. `uid`: of the Deployment whose deletion was asked for.
    Gone { uid: Option<String> },
}

/// Where a service stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) done: bool,
    pub(crate) ready: i32,
    pub(crate) wanted: i32,
    /// What its pods are doing, or what is wrong with them; for the live line.
    pub(crate) doing: Vec<String>,
    pub(crate) causes: Vec<Cause>,
}

/// Pods described in one line; more are counted.
const SHOWN: usize = 3;
/// What a runtime or a scheduler says can be very long.
const WIDTH: usize = 160;
/// A watch that lags shows for a moment what is gone already.
const LAG: Duration = Duration::from_secs(2);

impl Progress {
    /// "service-a: 1/2 ready; service-a-x: running, not ready yet"
    pub(crate) fn line(&self, service: &str) -> String {
        let doing = self.doing.join("; ");
        match self.wanted {
            0 => format!("{service}: {doing}"),
            wanted => format!("{service}: {}/{wanted} ready; {doing}", self.ready),
        }
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH).chain(['…']).collect()
}

/// Judges from one consistent snapshot: a status counts only when its controller has seen the spec beside it.
pub(crate) fn of(service: &str, goal: &Goal, seen: &Seen) -> Progress {
    if let Goal::Gone { uid } = goal {
        return leaving(service, uid.as_deref(), seen);
    }
    let Some(deployment) = seen.deployments.get(service) else {
        let doing = vec!["waiting for its Deployment".to_owned()];
        return Progress { done: false, ready: 0, wanted: 0, doing, causes: Vec::new() };
    };
    let counts = Counts::of(deployment);
    let generation = deployment.metadata.generation.unwrap_or_default();
    let settled = counts.is_settled() && counts.observed >= generation;
    let done = settled
        && match goal {
            Goal::Rollout { generation } => counts.observed >= *generation,
            Goal::Replicas { count } => counts.wanted == *count && leftovers(service, *count, seen) == 0,
            Goal::Between { min, max } => (*min..=*max).contains(&counts.wanted),
            Goal::Gone { .. } => false,
        };
    // The template that was asked for may not have come through the watch yet.
    let asked = if let Goal::Rollout { generation } = goal { *generation } else { 0 };
    let current = counts.observed >= generation.max(asked);
    let causes = if done || !current { Vec::new() } else { diagnose::of_rollout(deployment, seen) };
    let doing = match goal {
        _ if done => Vec::new(),
        Goal::Between { .. } if settled => vec!["waiting for its autoscaler".to_owned()],
        _ => doing(service, deployment, seen, &causes, current),
    };
    Progress { done, ready: counts.ready, wanted: counts.wanted, doing, causes }
}

/// A service that is being deleted; `uid` is that of its Deployment.
fn leaving(service: &str, uid: Option<&str>, seen: &Seen) -> Progress {
    let deployment = seen.deployments.get(service);
    let pods_ending = pods(service, seen).filter(|pod| is_ending(*pod)).count();
    let pods_staying = pods(service, seen).count() - pods_ending;
    // Who may not see the pods has the Deployment's word: it goes after them.
    let known = seen.deployments.is_complete() && (seen.pods.is_complete() || seen.pods.is_hidden());
    let mut causes = held::of_service(deployment, pods(service, seen));
    let mut doing = Vec::new();
    if pods_ending > 0 {
        doing.push(format!("{} ending", are(pods_ending)));
    }
    if pods_staying > 0 {
        doing.push(format!("{} still there", are(pods_staying)));
    }
    doing.extend(causes.iter().map(|cause| format!("{} is {}", cause.subject, cause.text)));
    match deployment {
        // Nobody has asked this one to go, so it will not.
        Some(deployment) if !is_ending(deployment) && deployment.metadata.uid.as_deref() != uid => {
            let text = "its Deployment is there and is not being deleted";
            doing.push(text.to_owned());
            causes.push(Cause::new(service, Kind::Other, Patience::For(LAG), text));
        }
        // Whose they are has gone without them.
        None if pods_staying > 0 => {
            let text = format!("{} still there, and nobody has asked them to go", are(pods_staying));
            causes.push(Cause::new(service, Kind::Other, Patience::For(LAG), text));
        }
        Some(_) if doing.is_empty() => doing.push("waiting until its Deployment is gone".to_owned()),
        None if doing.is_empty() => doing.push("looking".to_owned()),
        _ => {}
    }
    let done = known && pods_ending + pods_staying == 0 && deployment.is_none();
    Progress { done, ready: 0, wanted: 0, doing, causes }
}

fn is_ending(object: &impl kube::ResourceExt) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// "1 pod is"
fn are(pods: usize) -> String {
    if pods == 1 { "1 pod is".to_owned() } else { format!("{pods} pods are") }
}

/// The pods of a service's Deployment: those that its selector takes.
fn pods<'a>(service: &'a str, seen: &'a Seen) -> impl Iterator<Item = &'a Pod> {
    seen.pods.of(service).filter(|pod| pod.labels().get(TRACK_LABEL).is_some_and(|track| track == STABLE))
}

/// The numbers of a Deployment that decide.
#[derive(Debug, Clone, Copy)]
struct Counts {
    wanted: i32,
    observed: i64,
    total: i32,
    updated: i32,
    ready: i32,
    available: i32,
}

impl Counts {
    fn of(deployment: &Deployment) -> Self {
        let status = deployment.status.as_ref();
        let count = |field: fn(&k8s_openapi::api::apps::v1::DeploymentStatus) -> Option<i32>| {
            status.and_then(field).unwrap_or_default()
        };
        Self {
            wanted: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            observed: status.and_then(|status| status.observed_generation).unwrap_or_default(),
            total: count(|status| status.replicas),
            updated: count(|status| status.updated_replicas),
            ready: count(|status| status.ready_replicas),
            available: count(|status| status.available_replicas),
        }
    }

    /// Every pod is of the newest template and available, and there are as many as wanted.
    fn is_settled(self) -> bool {
        [self.total, self.updated, self.ready, self.available].iter().all(|&count| count == self.wanted)
    }
}

/// Pods beyond those that are wanted: on their way out.
fn leftovers(service: &str, count: i32, seen: &Seen) -> usize {
    pods(service, seen).count().saturating_sub(usize::try_from(count).unwrap_or_default())
}

fn doing(service: &str, deployment: &Deployment, seen: &Seen, causes: &[Cause], current: bool) -> Vec<String> {
    if !current {
        return vec!["waiting for the Deployment controller".to_owned()];
    }
    let mut lines: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.subject, shortened(&cause.text))).collect();
    let troubled = |name: &str| causes.iter().any(|cause| cause.subject == name);
    let staying = seen.newest_pods(deployment).filter(|pod| pod.metadata.deletion_timestamp.is_none());
    for pod in staying {
        let name = pod.name_any();
        if !troubled(&name)
            && let Some(activity) = diagnose::activity(pod)
        {
            lines.push(format!("{name}: {activity}"));
        }
    }
    let ending = pods(service, seen).filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if ending > 0 {
        lines.push(format!("{ending} pod{} ending", if ending == 1 { "" } else { "s" }));
    }
    if lines.is_empty() {
        lines.push("waiting for its pods".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests;
