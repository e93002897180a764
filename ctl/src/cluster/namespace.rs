//! Namespaces: whether one is there, and making it.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use reach::Cluster;
use serde_json::json;

use super::{FIELD_MANAGER, failure, session};
use crate::error::{Error, ExitCode, did_you_mean};

/// Makes the cluster's namespace, or leaves it as it is.
pub(crate) async fn create(cluster: &Cluster) -> Result<(), Error> {
    let name = &cluster.namespace;
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    api.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(namespace))
        .await
        .map(drop)
        .map_err(|cause| failure::explain(cluster, &format!("create namespace {name}"), cause))
}

/// Whether it is there. One that we may not look at counts as there: what is done in it next tells.
pub(crate) async fn exists(cluster: &Cluster) -> Result<bool, Error> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    match api.get_opt(&cluster.namespace).await {
        Ok(found) => Ok(found.is_some()),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(true),
        Err(cause) => Err(failure::explain(cluster, &format!("read namespace {}", cluster.namespace), cause)),
    }
}

/// Whether it is being deleted. For a reason beside others: who may not look goes without.
pub(crate) async fn is_ending(cluster: &Cluster, name: &str) -> bool {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let found = api.get_metadata_opt(name).await.ok().flatten();
    found.is_some_and(|found| found.metadata.deletion_timestamp.is_some())
}

/// The error for one that is missing, with the name that was meant when one is near.
pub(crate) async fn missing(cluster: &Cluster, action: &str, can_create: bool) -> Error {
    let name = &cluster.namespace;
    let error = Error::new(ExitCode::Failed, format!("cannot {action}"))
        .why(format!("namespace {name} does not exist"))
        .place(session::place(cluster));
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    // Only for the hint; who may not list them gets none.
    let known = api.list_metadata(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    let known: Vec<String> = known.into_iter().filter_map(|namespace| namespace.metadata.name).collect();
    let error = match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(near) => error.next(format!("did you mean -n {near}?")),
        None => error,
    };
    if can_create {
        return error.next("add --create-namespace to make it");
    }
    error.next("kubectl get namespaces")
}
