//! Services of a cluster, as `status` shows them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use reach::Cluster;

use crate::cli::status::StatusArgs;
use crate::cluster::autoscaler::Autoscaler;
use crate::cluster::deployed::{self, Query, Scope};
use crate::cluster::diagnose::{self, Patience, held};
use crate::cluster::seen::Seen;
use crate::cluster::{MANAGED_BY_LABEL, TRACK_LABEL, namespace};
use crate::commands::status::{Bounds, PodSummary, Reason, State, Summary};
use crate::error::Error;
use crate::output::Printer;

const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// The services that are asked for; a note when there are none at all.
pub(crate) async fn status(cluster: &Cluster, args: &StatusArgs, printer: &Printer) -> Result<Vec<Summary>, Error> {
    let scope = if args.all_namespaces { Scope::Everywhere } else { Scope::Namespace };
    let query = Query { scope, selector: args.selector.as_deref(), services: &args.services };
    let seen = deployed::look(cluster, &query).await?;
    let mut found: Vec<Summary> = Vec::new();
    for (namespace, seen) in &seen {
        found.extend(seen.deployments.iter().map(|deployment| summary(namespace, deployment, seen)));
    }
    tell_ending_namespaces(cluster, &mut found).await;
    for service in &args.services {
        if !found.iter().any(|summary| &summary.name == service) {
            return Err(deployed::unknown(cluster, &format!("show {service}"), service).await);
        }
    }
    if found.is_empty() {
        if scope == Scope::Namespace && !namespace::exists(cluster).await? {
            return Err(namespace::missing(cluster, "show services", false).await);
        }
        let place = if scope == Scope::Everywhere { "any namespace" } else { &cluster.namespace };
        printer.note(&format!("no services in {place}"));
    }
    Ok(found)
}

/// Deployments go with their namespace too: asked only when one is on its way out.
async fn tell_ending_namespaces(cluster: &Cluster, found: &mut [Summary]) {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for summary in found.iter_mut().filter(|summary| summary.state == State::Deleting) {
        let name = summary.namespace.clone();
        let ending = match known.get(&name) {
            Some(&ending) => ending,
            None => namespace::is_ending(cluster, &name).await,
        };
        if ending {
            let text = "the namespace is being deleted".to_owned();
            summary.reasons.push(Reason { subject: format!("namespace/{name}"), kind: None, text });
        }
        known.insert(name, ending);
    }
}

/// One service, from what was seen of it.
fn summary(namespace: &str, deployment: &Deployment, seen: &Seen) -> Summary {
    let name = deployment.name_any();
    let spec = deployment.spec.clone().unwrap_or_default();
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    let track = deployment.labels().get(TRACK_LABEL);
    let pods: Vec<&Pod> =
        seen.pods.of(&name).filter(|pod| track.is_none() || pod.labels().get(TRACK_LABEL) == track).collect();
    let leaving = deployment.metadata.deletion_timestamp.is_some();
    let causes = if leaving {
        held::of_service(Some(deployment), pods.iter().copied())
    } else {
        diagnose::of_rollout(deployment, seen)
    };
    let observed = status.observed_generation >= deployment.metadata.generation;
    let total = status.replicas.unwrap_or_default();
    let settled = observed && [ready, updated, total].iter().all(|&count| count == wanted);
    let state = match (settled, wanted) {
        _ if leaving => State::Deleting,
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
    if !settled && !observed && !leaving && reasons.is_empty() {
        let text = "the Deployment controller has not seen its newest change yet".to_owned();
        reasons.push(Reason { subject: name.clone(), kind: None, text });
    }
    let scaler = seen.autoscalers.iter().find(|object| Autoscaler::scales(object, &name)).map(Autoscaler::of);
    let template = spec.template.spec.unwrap_or_default();
    Summary {
        object: format!("deployment.apps/{name}"),
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
        pods: pods.into_iter().map(pod_summary).collect(),
        name,
    }
}

/// What pods without trouble are doing.
fn activities(pods: &[&Pod], told: &[Reason]) -> Vec<Reason> {
    let is_about = |reason: &Reason, pod: &Pod| reason.subject.trim_start_matches("pod/") == pod.name_any();
    let untold = pods.iter().filter(|pod| !told.iter().any(|reason| is_about(reason, pod)));
    untold
        .filter_map(|pod| diagnose::activity(pod).map(|text| Reason { subject: pod.name_any(), kind: None, text }))
        .collect()
}

fn pod_summary(pod: &Pod) -> PodSummary {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    PodSummary {
        name: pod.name_any(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        ready: diagnose::is_ready(pod),
        restarts: containers.map(|container| container.restart_count).sum(),
    }
}
