//! Why one pod is not ready, and what it is doing when nothing is wrong.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt as _;

use super::container::{self, Role};
use super::{Cause, Kind, Patience};

/// Room may come: old pods end, an autoscaler adds a node.
const SCHEDULING_PATIENCE: Duration = Duration::from_secs(30);
/// A volume's source may be on its way.
const VOLUME_PATIENCE: Duration = Duration::from_secs(20);
const SANDBOX_PATIENCE: Duration = Duration::from_secs(30);

/// The worst thing about a pod. Pods that are on their way out have none.
pub(crate) fn of_pod<'a>(pod: &Pod, warnings: impl Iterator<Item = &'a Event>) -> Option<Cause> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let mut warnings: Vec<&Event> = warnings.collect();
    warnings.sort_by_key(|event| std::cmp::Reverse(last_seen(event)));
    evicted(pod)
        .or_else(|| unscheduled(pod, &warnings))
        .or_else(|| containers(pod).find_map(|(role, status)| container::of(pod, role, status, &warnings)))
        .or_else(|| creation(pod, &warnings))
}

/// "pulling", "starting", "not ready yet": what a pod does that is neither ready nor in trouble.
pub(crate) fn activity(pod: &Pod) -> Option<String> {
    if pod.metadata.deletion_timestamp.is_some() {
        return Some("ending".to_owned());
    }
    if is_ready(pod) {
        return None;
    }
    if condition(pod, "PodScheduled").is_none_or(|(status, _)| status != "True") {
        return Some("waiting for a node".to_owned());
    }
    let unfinished = containers(pod).find(|(role, status)| !container::is_over(*role, status));
    Some(unfinished.map_or_else(|| "starting".to_owned(), |(role, status)| container::activity(role, status)))
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && condition(pod, "Ready").is_some_and(|(status, _)| status == "True")
}

/// Init containers first: they run first.
fn containers(pod: &Pod) -> impl Iterator<Item = (Role, &ContainerStatus)> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten();
    let main = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    init.map(|status| (Role::Init, status)).chain(main.map(|status| (Role::Main, status)))
}

/// (status, message) of a condition.
fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((&found.status, found.message.as_deref().unwrap_or_default()))
}

fn evicted(pod: &Pod) -> Option<Cause> {
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() != Some("Failed") {
        return None;
    }
    let reason = status.reason.as_deref().unwrap_or("Failed");
    let message = status.message.as_deref().unwrap_or("the pod ended");
    Some(Cause::new(pod.name_any(), Kind::Evicted, Patience::Unlimited, format!("{reason}: {message}")))
}

fn unscheduled(pod: &Pod, warnings: &[&Event]) -> Option<Cause> {
    let (status, message) = condition(pod, "PodScheduled")?;
    if status != "False" {
        return None;
    }
    // An autoscaler that has decided to add a node takes minutes, and says so.
    let scaling_up = warnings.iter().any(|event| event.reason.as_deref() == Some("TriggeredScaleUp"));
    let patience = if scaling_up { Patience::Unlimited } else { Patience::For(SCHEDULING_PATIENCE) };
    let message = message.trim_end_matches('.');
    Some(Cause::new(pod.name_any(), Kind::Scheduling, patience, format!("no node takes it: {message}")))
}

/// What keeps containers from being made, which only warnings tell.
fn creation(pod: &Pod, warnings: &[&Event]) -> Option<Cause> {
    let waiting = containers(pod).any(|(_, status)| container::is_being_made(status));
    if !waiting {
        return None;
    }
    warnings.iter().find_map(|event| {
        let message = event.message.as_deref().unwrap_or_default();
        if container::is_catching_up(message) {
            return None;
        }
        let (kind, patience, what) = match event.reason.as_deref()? {
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => {
                (Kind::Volume, Patience::For(VOLUME_PATIENCE), "its volume cannot be mounted")
            }
            "FailedCreatePodSandBox" => (Kind::Sandbox, Patience::For(SANDBOX_PATIENCE), "its sandbox cannot be made"),
            _ => return None,
        };
        Some(Cause::new(pod.name_any(), kind, patience, format!("{what}: {message}")))
    })
}

/// When a warning was last repeated.
fn last_seen(event: &Event) -> Option<jiff::Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    series.or(last).or(first)
}
