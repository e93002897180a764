//! Deleting objects by reference: what a deploy no longer wants, or all of a service.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::api::{DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::{conditions, wait};
use kube::{Api, ResourceExt as _};
use manifests::{KEEP, POLICY_ANNOTATION, database_claim_name, headless_name};
use reach::Cluster;

use super::inventory::Inventory;
use super::kinds::{Reference, every_kind};
use super::{MANAGED_BY, MANAGED_BY_LABEL, NAME_LABEL, failure, ownership, session};
use crate::error::{Error, ExitCode};
use crate::output::Printer;

const CONCURRENCY: usize = 4;
/// How often an object may be replaced by another one while it is deleted.
const REPLACEMENTS: usize = 3;

type Metadata = PartialObjectMeta<DynamicObject>;

/// Objects that msctl made, as they were when they were looked at.
#[derive(Debug, Default)]
pub(crate) struct Found(BTreeMap<Reference, Metadata>);

impl Found {
    pub(crate) fn has(&self, reference: &Reference) -> bool {
        self.0.contains_key(reference)
    }

    /// Nothing is there but what a deletion keeps: that is no service.
    pub(crate) fn is_over(&self) -> bool {
        self.0.values().all(holds_data)
    }

    pub(crate) fn inventory(&self) -> Inventory {
        self.0.keys().cloned().collect()
    }

    /// What a deletion takes of it.
    pub(crate) fn goes(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter(|(_, object)| !holds_data(object)).map(|(reference, _)| reference)
    }

    /// What a deletion keeps of it.
    pub(crate) fn tell(&self, cluster: &Cluster, printer: &Printer) {
        let kept = self.0.iter().filter(|(_, object)| holds_data(object)).map(|(reference, _)| reference);
        tell_kept(kept, cluster, printer);
    }

    /// What acts on a workload goes before it.
    fn in_order(&self) -> Vec<&Reference> {
        let mut references: Vec<&Reference> = self.0.keys().collect();
        references.sort_by_key(|reference| std::cmp::Reverse(reference.rank()));
        references
    }
}

/// An object whose deletion was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Removed {
    pub(crate) reference: Reference,
    pub(crate) uid: Option<String>,
    /// It was not gone at once: these hold it.
    pub(crate) finalizers: Vec<String>,
}

/// What became of objects that nobody wants any more.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    pub(crate) removed: Vec<Removed>,
    /// What holds data, which only a person may throw away.
    pub(crate) kept: Vec<Reference>,
}

impl Removal {
    pub(crate) fn tell(&self, cluster: &Cluster, printer: &Printer) {
        tell_kept(self.kept.iter(), cluster, printer);
    }

    /// Of the service's Deployment, when that was asked to go.
    pub(crate) fn deployment_uid(&self, service: &str) -> Option<&String> {
        let is_it = |reference: &Reference| reference.is_deployment() && reference.name == service;
        self.removed.iter().find(|removed| is_it(&removed.reference))?.uid.as_ref()
    }
}

/// For each object that is kept: why, and how to delete it.
fn tell_kept<'a>(kept: impl Iterator<Item = &'a Reference>, cluster: &Cluster, printer: &Printer) {
    for kept in kept {
        let command = format!("kubectl delete {kept} -n {}", cluster.namespace);
        printer.hint(&format!("{kept} stays, because it holds data; to delete it: {command}"));
    }
}

/// What became of one object.
enum End {
    /// It is not there, or is not ours.
    Untouched,
    Removed(Removed),
    Kept,
}

/// Deletes what was found. Deployments go with all their pods before they vanish themselves. What is annotated to be
/// kept is, as Helm does it. `removal` has at any time what was done: this may be cut off.
pub(crate) async fn delete_found(cluster: &Cluster, found: &Found, removal: &mut Removal) -> Result<(), Error> {
    let known = found.in_order().into_iter().map(|reference| (reference, found.0.get(reference).cloned()));
    delete_all(cluster, known, removal).await
}

/// As `delete_found`, of what is there of `references` and was made by msctl; one that is not there is left out of the
/// answer.
pub(crate) async fn delete(cluster: &Cluster, references: &[Reference], removal: &mut Removal) -> Result<(), Error> {
    delete_all(cluster, references.iter().map(|reference| (reference, None)), removal).await
}

async fn delete_all(
    cluster: &Cluster,
    objects: impl Iterator<Item = (&Reference, Option<Metadata>)>,
    removal: &mut Removal,
) -> Result<(), Error> {
    let mut requests = stream::iter(objects)
        .map(|(reference, known)| async move { (reference, delete_one(cluster, reference, known).await) })
        .buffer_unordered(CONCURRENCY);
    let mut failed = None;
    while let Some((reference, result)) = requests.next().await {
        match result {
            Ok(End::Untouched) => {}
            Ok(End::Removed(removed)) => removal.removed.push(removed),
            Ok(End::Kept) => removal.kept.push(reference.clone()),
            Err(error) => failed = failed.or(Some(error)),
        }
        removal.removed.sort_by_key(|removed: &Removed| removed.reference.rank());
        removal.kept.sort_by_key(Reference::rank);
    }
    failed.map_or(Ok(()), Err)
}

/// What a deletion does with an object that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// msctl did not make it: an inventory may name what is somebody else's.
    Untouched,
    Kept,
    Goes,
}

impl Fate {
    fn of(object: &Metadata) -> Self {
        match (ownership::is_ours(&object.metadata), holds_data(object)) {
            (false, _) => Self::Untouched,
            (true, true) => Self::Kept,
            (true, false) => Self::Goes,
        }
    }
}

/// What `delete` would do with it, if it is there.
pub(crate) async fn foreseen(cluster: &Cluster, reference: &Reference) -> Result<Option<Fate>, Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let found = api.get_metadata_opt(&reference.name).await;
    let found = found.map_err(|cause| failure::explain(cluster, &format!("read {reference}"), cause))?;
    Ok(found.as_ref().map(Fate::of))
}

fn holds_data(object: &Metadata) -> bool {
    object.annotations().get(POLICY_ANNOTATION).is_some_and(|policy| policy == KEEP)
}

/// Only the very object that was looked at.
async fn delete_one(cluster: &Cluster, reference: &Reference, known: Option<Metadata>) -> Result<End, Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let failed = |cause| failure::explain(cluster, &format!("delete {reference}"), cause);
    let (mut known, mut rounds) = (known, 0..REPLACEMENTS);
    loop {
        let found = match known.take() {
            Some(known) => known,
            None => match api.get_metadata_opt(&reference.name).await.map_err(failed)? {
                Some(found) => found,
                None => return Ok(End::Untouched),
            },
        };
        match Fate::of(&found) {
            Fate::Untouched => return Ok(End::Untouched),
            Fate::Kept => return Ok(End::Kept),
            Fate::Goes => {}
        }
        let params = if reference.is_deployment() { DeleteParams::foreground() } else { DeleteParams::background() };
        let params = params.preconditions(Preconditions { uid: found.uid(), resource_version: None });
        match api.delete(&reference.name, &params).await {
            Ok(answer) => {
                let finalizers = answer.left().and_then(|object| object.metadata.finalizers).unwrap_or_default();
                return Ok(End::Removed(Removed { reference: reference.clone(), uid: found.uid(), finalizers }));
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(End::Untouched),
            // Another object has its name now: that one is looked at anew.
            Err(kube::Error::Api(status)) if status.is_conflict() && rounds.next().is_some() => {}
            Err(cause) => return Err(failed(cause)),
        }
    }
}

/// Waits until an object that lingered is gone.
pub(crate) async fn gone(cluster: &Cluster, removed: &Removed) -> Result<(), Error> {
    let Some(uid) = &removed.uid else { return Ok(()) };
    let api = removed.reference.api(&cluster.client, &cluster.namespace);
    wait::await_condition(api, &removed.reference.name, conditions::is_deleted(uid)).await.map(drop).map_err(|cause| {
        Error::new(ExitCode::Failed, format!("cannot wait until {} is gone", removed.reference))
            .why(cause.to_string())
            .place(session::place(cluster))
            .next(format!("kubectl get {} -n {} --watch", removed.reference, cluster.namespace))
    })
}

/// What msctl made for a service and is there: all with its labels, whoever applied it, and of the inventory what has
/// lost them. An inventory alone is not enough: a Lease can be lost while its service runs.
///
/// That is a list a kind, which saves the look at each object before its deletion.
pub(crate) async fn find(
    cluster: &Cluster,
    service: &str,
    before: &Inventory,
    printer: &Printer,
) -> Result<Found, Error> {
    let mut found = labelled(cluster, service, printer).await?;
    let deployment = Reference::new("apps/v1", "Deployment", service);
    let unseen = before.union(&[deployment].into_iter().collect()).without(&found.inventory());
    let looks: Vec<(Reference, Option<Metadata>)> = stream::iter(unseen.iter())
        .map(|reference| async move {
            let api = reference.api(&cluster.client, &cluster.namespace);
            let explain = |cause| failure::explain(cluster, &format!("read {reference}"), cause);
            api.get_metadata_opt(&reference.name).await.map(|found| (reference.clone(), found)).map_err(explain)
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    let there = looks.into_iter().filter_map(|(reference, object)| Some((reference, object?)));
    found.0.extend(there.filter(|(_, object)| ownership::is_ours(&object.metadata) && !is_anothers(object, service)));
    Ok(found)
}

/// A service may be named as another one's headless Service, and have taken its place.
fn is_anothers(object: &Metadata, service: &str) -> bool {
    object.labels().get(NAME_LABEL).is_some_and(|name| name != service)
}

/// Labels are copied, by `kubectl expose` for one: only the names that msctl gives are its own.
fn is_named_by_us(name: &str, service: &str) -> bool {
    name == service || name == headless_name(service) || name == database_claim_name(service)
}

async fn labelled(cluster: &Cluster, service: &str, printer: &Printer) -> Result<Found, Error> {
    let params = ListParams::default().labels(&format!("{NAME_LABEL}={service},{MANAGED_BY_LABEL}={MANAGED_BY}"));
    let params = &params;
    let lists: Vec<Vec<(Reference, Metadata)>> = stream::iter(every_kind())
        .map(|kind| async move {
            let api: Api<DynamicObject> = kind.api(&cluster.client, &cluster.namespace);
            match api.list_metadata(params).await {
                Ok(list) => {
                    let of = |object: &Metadata| Reference::new(&kind.api_version, &kind.kind, &object.name_any());
                    let ours = list.items.into_iter().filter(|object| is_named_by_us(&object.name_any(), service));
                    Ok(ours.map(|object| (of(&object), object)).collect())
                }
                // A kind that this cluster does not serve (HTTPRoute): a page that is not found, and no reason.
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
                Err(kube::Error::Api(status)) if status.code == 403 => {
                    printer.warning(&format!("no {} of {service} is looked for: {}", kind.kind, status.message));
                    Ok(Vec::new())
                }
                Err(cause) => Err(failure::explain(cluster, &format!("look for {} of {service}", kind.kind), cause)),
            }
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    Ok(Found(lists.into_iter().flatten().collect()))
}
