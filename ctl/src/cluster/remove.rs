//! Deleting objects by reference: what a deploy no longer wants, or all of a service.

use futures::stream::{self, StreamExt as _};
use kube::api::{DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::runtime::{conditions, wait};
use kube::{Api, ResourceExt as _};
use reach::Cluster;

use super::inventory::Inventory;
use super::kinds::{Reference, every_kind};
use super::{MANAGED_BY, MANAGED_BY_LABEL, NAME_LABEL, failure, session};
use crate::error::{Error, ExitCode};

const CONCURRENCY: usize = 4;
/// How often an object may be replaced by another one while it is deleted.
const REPLACEMENTS: usize = 3;

/// An object whose deletion was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Removed {
    pub(crate) reference: Reference,
    /// Its uid, when it was not gone at once: something (a finalizer, pods that drain) holds it.
    pub(crate) lingering: Option<String>,
}

/// Deletes what is there of `references` and was made by msctl; one that is not there is left out of the answer. Deployments go with all
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

/// Only what msctl made, and only the very object that was looked at: an inventory may name what is somebody else's.
async fn delete_one(cluster: &Cluster, reference: &Reference) -> Result<Option<Removed>, Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let failed = |cause| failure::explain(cluster, &format!("delete {reference}"), cause);
    let mut rounds = 0..REPLACEMENTS;
    loop {
        let Some(found) = api.get_metadata_opt(&reference.name).await.map_err(failed)? else { return Ok(None) };
        if found.labels().get(MANAGED_BY_LABEL).is_none_or(|manager| manager != MANAGED_BY) {
            return Ok(None);
        }
        let params = if reference.is_deployment() { DeleteParams::foreground() } else { DeleteParams::background() };
        let params = params.preconditions(Preconditions { uid: found.uid(), resource_version: None });
        match api.delete(&reference.name, &params).await {
            Ok(answer) => {
                let object = answer.left();
                let held = object.filter(|object| object.metadata.finalizers.as_ref().is_some_and(|f| !f.is_empty()));
                let lingering = held.and_then(|object| object.metadata.uid);
                return Ok(Some(Removed { reference: reference.clone(), lingering }));
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
            // Another object has its name now: that one is looked at anew.
            Err(kube::Error::Api(status)) if status.is_conflict() && rounds.next().is_some() => {}
            Err(cause) => return Err(failed(cause)),
        }
    }
}

/// Waits until an object that lingered is gone.
pub(crate) async fn gone(cluster: &Cluster, removed: &Removed) -> Result<(), Error> {
    let Some(uid) = &removed.lingering else { return Ok(()) };
    let api = removed.reference.api(&cluster.client, &cluster.namespace);
    wait::await_condition(api, &removed.reference.name, conditions::is_deleted(uid)).await.map(drop).map_err(|cause| {
        Error::new(ExitCode::Failed, format!("cannot wait until {} is gone", removed.reference))
            .why(cause.to_string())
            .place(session::place(cluster))
            .next(format!("kubectl get {} -n {} --watch", removed.reference, cluster.namespace))
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
