//! Causes that keep pods from being made at all, and the Deployment's own deadline.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt as _;

use super::{Cause, Kind, Patience};

/// Old pods that end make room in a quota.
const QUOTA_PATIENCE: Duration = Duration::from_secs(10);
/// A service account applied a moment before is known to every admission plugin soon.
const CREATE_PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn causes(deployment: &Deployment, newest: Option<&ReplicaSet>) -> Vec<Cause> {
    let name = deployment.name_any();
    let mut causes = Vec::new();
    if let Some(message) = refused(deployment, newest) {
        causes.push(creation(&name, &message));
    }
    if let Some(message) = deadline(deployment) {
        causes.push(Cause::new(name, Kind::Deadline, Patience::None, message));
    }
    causes
}

/// What the `ReplicaSet` controller was told when it tried to make a pod.
fn refused(deployment: &Deployment, newest: Option<&ReplicaSet>) -> Option<String> {
    let newest = newest?;
    let status = newest.status.as_ref()?;
    let of_set = status.conditions.iter().flatten().find(|condition| condition.type_ == "ReplicaFailure");
    if let Some(condition) = of_set.filter(|condition| condition.status == "True") {
        return condition.message.clone();
    }
    let status = deployment.status.as_ref()?;
    let of_deployment = status.conditions.iter().flatten().find(|condition| condition.type_ == "ReplicaFailure");
    of_deployment.filter(|condition| condition.status == "True")?.message.clone()
}

fn creation(name: &str, message: &str) -> Cause {
    let reason = message.split_once("is forbidden: ").map_or(message, |(_, reason)| reason);
    let webhook = message.contains("admission webhook") && message.contains("denied the request");
    let (kind, patience) = if webhook || message.contains("violates PodSecurity") {
        (Kind::Admission, Patience::None)
    } else if message.contains("exceeded quota") || message.contains("failed quota") {
        (Kind::Quota, Patience::For(QUOTA_PATIENCE))
    } else {
        (Kind::Other, Patience::For(CREATE_PATIENCE))
    };
    Cause::new(name, kind, patience, format!("its pods cannot be made: {reason}"))
}

/// Only of what the controller has seen: an older generation's deadline says nothing about this one.
fn deadline(deployment: &Deployment) -> Option<String> {
    let status = deployment.status.as_ref()?;
    if status.observed_generation < deployment.metadata.generation {
        return None;
    }
    let progressing = status.conditions.iter().flatten().find(|condition| condition.type_ == "Progressing")?;
    if progressing.reason.as_deref() != Some("ProgressDeadlineExceeded") {
        return None;
    }
    let seconds = deployment.spec.as_ref().and_then(|spec| spec.progress_deadline_seconds).unwrap_or(600);
    Some(format!("no progress for {seconds} s (its progressDeadlineSeconds)"))
}
