//! Deleting objects by reference: what a deploy no longer wants, or all of a service.

use futures::stream::{self, StreamExt as _};
use kube::api::{DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::{conditions, wait};
use kube::{Api, ResourceExt as _};
use manifests::{KEEP, POLICY_ANNOTATION};
use reach::Cluster;

use super::inventory::Inventory;
use super::kinds::{Reference, every_kind};
use super::{MANAGED_BY, MANAGED_BY_LABEL, NAME_LABEL, failure, session};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

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

/// What became of objects that nobody wants any more.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    pub(crate) removed: Vec<Removed>,
    /// What holds data, which only a person may throw away.
    pub(crate) kept: Vec<Reference>,
    pub(crate) failed: Option<Error>,
}

impl Removal {
    /// For each object that was kept: why, and how to delete it.
    pub(crate) fn tell(&self, cluster: &Cluster, printer: &Printer) {
        for kept in &self.kept {
            let command = format!("kubectl delete {kept} -n {}", cluster.namespace);
            printer.hint(&format!("{kept} stays, because it holds data; to delete it: {command}"));
        }
    }
}

/// What became of one object.
enum Fate {
    Missing,
    Removed(Removed),
    Kept,
}

/// Deletes what is there of `references` and was made by msctl; one that is not there is left out of the answer. Deployments go with all
/// their pods before they vanish themselves. What is annotated to be kept is, as Helm does it.
pub(crate) async fn delete(cluster: &Cluster, references: &[Reference]) -> Removal {
    let delete_one = |reference| async move { (reference, delete_one(cluster, reference).await) };
    let mut requests = stream::iter(references).map(delete_one).buffer_unordered(CONCURRENCY);
    let mut removal = Removal::default();
    while let Some((reference, result)) = requests.next().await {
        match result {
            Ok(Fate::Missing) => {}
            Ok(Fate::Removed(removed)) => removal.removed.push(removed),
            Ok(Fate::Kept) => removal.kept.push(reference.clone()),
            Err(error) => removal.failed = removal.failed.or(Some(error)),
        }
    }
    removal.removed.sort_by_key(|removed: &Removed| removed.reference.rank());
    removal.kept.sort_by_key(Reference::rank);
    removal
}

/// Whether a deletion would keep it.
pub(crate) async fn is_kept(cluster: &Cluster, reference: &Reference) -> Result<bool, Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let found = api.get_metadata_opt(&reference.name).await;
    found
        .map(|found| found.is_some_and(|found| holds_data(&found)))
        .map_err(|cause| failure::explain(cluster, &format!("read {reference}"), cause))
}

fn holds_data(object: &PartialObjectMeta<DynamicObject>) -> bool {
    object.annotations().get(POLICY_ANNOTATION).is_some_and(|policy| policy == KEEP)
}

/// Only what msctl made, and only the very object that was looked at: an inventory may name what is somebody else's.
async fn delete_one(cluster: &Cluster, reference: &Reference) -> Result<Fate, Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let failed = |cause| failure::explain(cluster, &format!("delete {reference}"), cause);
    let mut rounds = 0..REPLACEMENTS;
    loop {
        let Some(found) = api.get_metadata_opt(&reference.name).await.map_err(failed)? else {
            return Ok(Fate::Missing);
        };
        if found.labels().get(MANAGED_BY_LABEL).is_none_or(|manager| manager != MANAGED_BY) {
            return Ok(Fate::Missing);
        }
        if holds_data(&found) {
            return Ok(Fate::Kept);
        }
        let params = if reference.is_deployment() { DeleteParams::foreground() } else { DeleteParams::background() };
        let params = params.preconditions(Preconditions { uid: found.uid(), resource_version: None });
        match api.delete(&reference.name, &params).await {
            Ok(answer) => {
                let object = answer.left();
                let held = object.filter(|object| object.metadata.finalizers.as_ref().is_some_and(|f| !f.is_empty()));
                let lingering = held.and_then(|object| object.metadata.uid);
                return Ok(Fate::Removed(Removed { reference: reference.clone(), lingering }));
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Fate::Missing),
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
    labelled_of(cluster, service, every_kind()).await
}

/// The service's claims, those also that a deploy kept and wanted no more: no inventory names them.
pub(crate) async fn labelled_claims(cluster: &Cluster, service: &str) -> Result<Inventory, Error> {
    labelled_of(cluster, service, every_kind().filter(Reference::is_claim)).await
}

async fn labelled_of(
    cluster: &Cluster,
    service: &str,
    kinds: impl Iterator<Item = Reference>,
) -> Result<Inventory, Error> {
    let params = ListParams::default().labels(&format!("{NAME_LABEL}={service},{MANAGED_BY_LABEL}={MANAGED_BY}"));
    let params = &params;
    let lists: Vec<Result<Vec<Reference>, Error>> = stream::iter(kinds)
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
