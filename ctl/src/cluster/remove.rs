//! Deleting objects by reference: what a deploy no longer wants, or all of a service.

use futures::stream::{self, StreamExt as _};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::runtime::{conditions, wait};
use reach::Cluster;

use super::inventory::Inventory;
use super::kinds::{Reference, every_kind};
use super::{MANAGED_BY, MANAGED_BY_LABEL, NAME_LABEL, failure};
use crate::error::{Error, ExitCode};

const CONCURRENCY: usize = 4;

/// An object whose deletion was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Removed {
    pub(crate) reference: Reference,
    /// Its uid, when it was not gone at once: something (a finalizer, pods that drain) holds it.
    pub(crate) lingering: Option<String>,
}

/// Deletes what is there of `references`; one that is not there is left out of the answer. Deployments go with all
/// their pods before they vanish themselves.
pub(crate) async fn delete(cluster: &Cluster, references: &[Reference]) -> (Vec<Removed>, Option<Error>) {
    let mut requests =
        stream::iter(references).map(|reference| delete_one(cluster, reference)).buffer_unordered(CONCURRENCY);
    let (mut removed, mut failed) = (Vec::new(), None);
    while let Some(result) = requests.next().await {
        match result {
            Ok(found) => removed.extend(found),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    removed.sort_by_key(|removed: &Removed| removed.reference.rank());
    (removed, failed)
}

async fn delete_one(cluster: &Cluster, reference: &Reference) -> Result<Option<Removed>, Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let params = if reference.is_deployment() { DeleteParams::foreground() } else { DeleteParams::background() };
    match api.delete(&reference.name, &params).await {
        Ok(answer) => {
            let object = answer.left();
            let held = object.filter(|object| object.metadata.finalizers.as_ref().is_some_and(|f| !f.is_empty()));
            let lingering = held.and_then(|object| object.metadata.uid);
            Ok(Some(Removed { reference: reference.clone(), lingering }))
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(cause) => Err(failure::explain(cluster, &format!("delete {reference}"), cause)),
    }
}

/// Waits until an object that lingered is gone.
pub(crate) async fn gone(cluster: &Cluster, removed: &Removed) -> Result<(), Error> {
    let Some(uid) = &removed.lingering else { return Ok(()) };
    let api = removed.reference.api(&cluster.client, &cluster.namespace);
    wait::await_condition(api, &removed.reference.name, conditions::is_deleted(uid)).await.map(drop).map_err(|cause| {
        Error::new(ExitCode::Failed, format!("cannot wait until {} is gone", removed.reference)).why(cause.to_string())
    })
}

/// What msctl made for a service whose inventory is lost: everything with its labels.
pub(crate) async fn labelled(cluster: &Cluster, service: &str) -> Result<Inventory, Error> {
    let params = ListParams::default().labels(&format!("{NAME_LABEL}={service},{MANAGED_BY_LABEL}={MANAGED_BY}"));
    let params = &params;
    let lists: Vec<Result<Vec<Reference>, Error>> = stream::iter(every_kind())
        .map(|kind| async move {
            let api: Api<DynamicObject> = kind.api(&cluster.client, &cluster.namespace);
            match api.list_metadata(params).await {
                Ok(list) => {
                    let names = list.items.into_iter().filter_map(|object| object.metadata.name);
                    Ok(names.map(|name| Reference::new(&kind.api_version, &kind.kind, &name)).collect())
                }
                // A kind that this cluster does not serve (HTTPRoute), or that we may not list: then we made none.
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(Vec::new()),
                Err(cause) => Err(failure::explain(cluster, &format!("look for {} of {service}", kind.kind), cause)),
            }
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut all = Vec::new();
    for list in lists {
        all.extend(list?);
    }
    Ok(all.into_iter().collect())
}
