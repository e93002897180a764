//! Services in a cluster: those that `msctl deploy` made, and those of our charts. Both carry the track label.

use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt as _};
use reach::Cluster;
use serde::de::DeserializeOwned;

use super::diagnose;
use super::seen::Seen;
use super::{NAME_LABEL, TRACK_LABEL, failure, namespace, session};
use crate::error::{Error, ExitCode, did_you_mean};

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespace,
    Everywhere,
}

/// Which services.
#[derive(Debug, Clone)]
pub(crate) struct Query<'a> {
    pub(crate) scope: Scope,
    /// Labels of the Deployments, in kubectl's syntax.
    pub(crate) selector: Option<&'a str>,
    /// All when empty.
    pub(crate) services: &'a [String],
}

/// What there is, by namespace. Events are listed only when a pod is not ready.
pub(crate) async fn look(cluster: &Cluster, query: &Query<'_>) -> Result<BTreeMap<String, Seen>, Error> {
    let mut labels = TRACK_LABEL.to_owned();
    if !query.services.is_empty() {
        labels = format!("{labels},{NAME_LABEL} in ({})", query.services.join(","));
    }
    let of_deployments = query.selector.map_or_else(|| labels.clone(), |selector| format!("{labels},{selector}"));
    let any = ListParams::default();
    let (deployments, sets, pods, scalers) = futures::try_join!(
        list::<Deployment>(cluster, query.scope, ListParams::default().labels(&of_deployments)),
        list::<ReplicaSet>(cluster, query.scope, ListParams::default().labels(&labels)),
        list::<Pod>(cluster, query.scope, ListParams::default().labels(&labels)),
        list::<HorizontalPodAutoscaler>(cluster, query.scope, any.labels(NAME_LABEL)),
    )?;
    let unready = pods.iter().any(|pod| !diagnose::is_ready(pod));
    let warnings = if unready {
        let params = ListParams::default().fields("type=Warning,involvedObject.kind=Pod");
        // Without them a reason may be missing; that is no failure of the look.
        list::<Event>(cluster, query.scope, params).await.unwrap_or_default()
    } else {
        Vec::new()
    };
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for (namespace, found) in by_namespace(deployments) {
        seen.entry(namespace).or_default().deployments.fill(found);
    }
    for (namespace, found) in by_namespace(sets) {
        seen.entry(namespace).or_default().replica_sets.fill(found);
    }
    for (namespace, found) in by_namespace(pods) {
        seen.entry(namespace).or_default().pods.fill(found);
    }
    for (namespace, found) in by_namespace(scalers) {
        seen.entry(namespace).or_default().autoscalers.fill(found);
    }
    for (namespace, found) in by_namespace(warnings) {
        seen.entry(namespace).or_default().events.fill(found);
    }
    Ok(seen)
}

fn by_namespace<K: kube::ResourceExt>(objects: Vec<K>) -> BTreeMap<String, Vec<K>> {
    let mut grouped: BTreeMap<String, Vec<K>> = BTreeMap::new();
    for object in objects {
        grouped.entry(object.namespace().unwrap_or_default()).or_default().push(object);
    }
    grouped
}

async fn list<K>(cluster: &Cluster, scope: Scope, params: ListParams) -> Result<Vec<K>, Error>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    K::DynamicType: Default,
{
    let api: Api<K> = match scope {
        Scope::Everywhere => Api::all(cluster.client.clone()),
        Scope::Namespace => Api::namespaced(cluster.client.clone(), &cluster.namespace),
    };
    let kind = K::plural(&K::DynamicType::default()).into_owned();
    match api.list(&params).await {
        Ok(list) => Ok(list.items),
        Err(cause) => Err(failure::explain(cluster, &format!("list {kind}"), cause)),
    }
}

/// Whether there is a Deployment of this name that is no service of ours. When that can't be seen, none is known of.
async fn is_foreign(cluster: &Cluster, service: &str) -> bool {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let found = api.get_metadata_opt(service).await.ok().flatten();
    found.is_some_and(|found| found.labels().get(NAME_LABEL).is_none_or(|name| name != service))
}

/// The error for a service that is not there: its namespace may be missing, or its name misspelt.
pub(crate) async fn unknown(cluster: &Cluster, action: &str, service: &str) -> Error {
    match namespace::exists(cluster).await {
        Ok(true) => {}
        Ok(false) => return namespace::missing(cluster, action, false).await,
        Err(error) => return error,
    }
    if is_foreign(cluster, service).await {
        return Error::new(ExitCode::Failed, format!("cannot {action}"))
            .why(format!("deployment.apps/{service} was made neither by msctl nor by its charts"))
            .place(session::place(cluster))
            .next(format!("kubectl describe deployment {service} -n {}", cluster.namespace));
    }
    let query = ListParams::default().labels(TRACK_LABEL);
    let deployed = list::<Deployment>(cluster, Scope::Namespace, query).await.unwrap_or_default();
    let names: Vec<String> = deployed.iter().map(kube::ResourceExt::name_any).collect();
    let error = Error::new(ExitCode::Failed, format!("cannot {action}"))
        .why(format!("there is no service {service} in namespace {}", cluster.namespace))
        .place(session::place(cluster));
    let error = if names.is_empty() { error } else { error.why(format!("there are {}", names.join(", "))) };
    match did_you_mean(service, names.iter().map(String::as_str)) {
        Some(near) => error.next(format!("did you mean {near}? msctl status -n {} shows all", cluster.namespace)),
        None => error.next("msctl status -A"),
    }
}
