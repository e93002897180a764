//! One service, as `status` shows it in every form. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::cluster::autoscaler::Autoscaler;
use crate::cluster::diagnose::{self, Kind, Patience};
use crate::cluster::seen::Seen;
use crate::cluster::{MANAGED_BY_LABEL, TRACK_LABEL};

const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// A service and its pods.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) ready: i32,
    pub(super) wanted: i32,
    pub(super) updated: i32,
    pub(super) created: Option<String>,
    pub(super) version: Option<String>,
    pub(super) image: String,
    pub(super) managed_by: Option<String>,
    pub(super) autoscaler: Option<Bounds>,
    pub(super) reasons: Vec<Reason>,
    pub(super) pods: Vec<PodSummary>,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ready,
    /// Zero replicas are wanted.
    Stopped,
    /// On its way.
    Progressing,
    /// Something is wrong that does not pass by itself.
    Failing,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Stopped => "stopped",
            Self::Progressing => "progressing",
            Self::Failing => "failing",
        })
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Bounds {
    pub(super) min: i32,
    pub(super) max: i32,
}

/// Why something is not ready.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Reason {
    pub(super) subject: String,
    /// None when it is only on its way.
    pub(super) kind: Option<Kind>,
    pub(super) text: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct PodSummary {
    pub(super) name: String,
    pub(super) node: Option<String>,
    pub(super) ready: bool,
    pub(super) restarts: i32,
}

impl Summary {
    pub(super) fn of(namespace: &str, deployment: &Deployment, seen: &Seen) -> Self {
        let name = deployment.name_any();
        let spec = deployment.spec.clone().unwrap_or_default();
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = spec.replicas.unwrap_or(1);
        let ready = status.ready_replicas.unwrap_or_default();
        let updated = status.updated_replicas.unwrap_or_default();
        let track = deployment.labels().get(TRACK_LABEL);
        let pods: Vec<&Pod> =
            seen.pods.of(&name).filter(|pod| track.is_none() || pod.labels().get(TRACK_LABEL) == track).collect();
        let causes = diagnose::of_rollout(deployment, seen);
        let observed = status.observed_generation >= deployment.metadata.generation;
        let total = status.replicas.unwrap_or_default();
        let settled = observed && [ready, updated, total].iter().all(|&count| count == wanted);
        let state = match (settled, wanted) {
            (true, 0) => State::Stopped,
            (true, _) => State::Ready,
            (false, _) if causes.iter().any(|cause| cause.patience != Patience::Unlimited) => State::Failing,
            (false, _) => State::Progressing,
        };
        let mut reasons: Vec<Reason> = causes
            .into_iter()
            .map(|cause| Reason { subject: cause.subject, kind: Some(cause.kind), text: cause.text })
            .collect();
        reasons.extend(activities(&pods, &reasons));
        if !settled && !observed && reasons.is_empty() {
            let text = "the Deployment controller has not seen its newest change yet".to_owned();
            reasons.push(Reason { subject: name.clone(), kind: None, text });
        }
        let scaler = seen.autoscalers.iter().find(|object| Autoscaler::scales(object, &name)).map(Autoscaler::of);
        let template = spec.template.spec.unwrap_or_default();
        Self {
            namespace: namespace.to_owned(),
            state,
            ready,
            wanted,
            updated,
            created: deployment.metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()),
            version: deployment.labels().get(VERSION_LABEL).cloned(),
            image: template.containers.first().and_then(|container| container.image.clone()).unwrap_or_default(),
            managed_by: deployment.labels().get(MANAGED_BY_LABEL).cloned(),
            autoscaler: scaler.map(|scaler| Bounds { min: scaler.min, max: scaler.max }),
            reasons,
            pods: pods.into_iter().map(PodSummary::of).collect(),
            name,
        }
    }

    /// "5m", as kubectl prints ages.
    pub(super) fn age(&self) -> String {
        let created: Option<Timestamp> = self.created.as_ref().and_then(|text| text.parse().ok());
        created.map_or_else(|| "-".to_owned(), |created| age(Timestamp::now().duration_since(created).as_secs()))
    }

    pub(super) fn restarts(&self) -> i32 {
        self.pods.iter().map(|pod| pod.restarts).sum()
    }

    /// "node-1:2,node-2:1"
    pub(super) fn nodes(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for node in self.pods.iter().filter_map(|pod| pod.node.as_deref()) {
            *counts.entry(node).or_default() += 1;
        }
        let parts: Vec<String> = counts.iter().map(|(node, count)| format!("{node}:{count}")).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(",") }
    }

    pub(super) fn scales(&self) -> String {
        self.autoscaler.map_or_else(|| "-".to_owned(), |bounds| format!("{}-{}", bounds.min, bounds.max))
    }
}

/// What pods without trouble are doing.
fn activities(pods: &[&Pod], told: &[Reason]) -> Vec<Reason> {
    let untold = pods.iter().filter(|pod| !told.iter().any(|reason| reason.subject == pod.name_any()));
    untold
        .filter_map(|pod| diagnose::activity(pod).map(|text| Reason { subject: pod.name_any(), kind: None, text }))
        .collect()
}

impl PodSummary {
    fn of(pod: &Pod) -> Self {
        let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        Self {
            name: pod.name_any(),
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            ready: diagnose::is_ready(pod),
            restarts: containers.map(|container| container.restart_count).sum(),
        }
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [(-3, "0s"), (59, "59s"), (120, "2m"), (7_200, "2h"), (200_000, "2d")] {
            assert_eq!(age(seconds), text);
        }
    }
}
