//! Server-side apply of a plan: concurrent where the order does not matter, conflicts named with their owner.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::ResourceExt as _;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::Status;
use manifests::{KEEP, POLICY_ANNOTATION};
use reach::Cluster;
use serde_json::{Value, json};

use super::diagnose::held::held_by;
use super::failure::MissingRight;
use super::kinds::{Reference, Stage};
use super::ownership::Replicas;
use super::plan::{Action, Live, Plan, Step, outcome};
use super::{FIELD_MANAGER, REPLICAS_MANAGER, failure, session};
use crate::error::{Error, ExitCode};

/// Requests in flight at once. Each takes a connection (HTTP/1.1), whose TLS handshake costs more than waiting for a
/// free one would.
const CONCURRENCY: usize = 4;

/// Who decides when somebody else owns a field that we set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflicts {
    /// Stop, and say who.
    Refuse,
    /// Take the field over.
    Force,
}

/// Whether it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Persist,
    DryRun,
}

/// How to apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) conflicts: Conflicts,
    pub(crate) effect: Effect,
}

/// An object that was applied.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) reference: Reference,
    pub(crate) action: Action,
    pub(crate) object: DynamicObject,
}

/// Reads those of the wanted objects that exist. One that is being deleted is waited for, and `waiting` is told.
pub(crate) async fn read(
    cluster: &Cluster,
    wanted: &[(Reference, Value)],
    waiting: impl Fn(String),
) -> Result<Live, Error> {
    let found: Vec<(Reference, Option<DynamicObject>)> = stream::iter(wanted)
        .map(|(reference, _)| async move {
            let api = reference.api(&cluster.client, &cluster.namespace);
            match api.get_opt(&reference.name).await {
                Ok(found) => Ok((reference.clone(), found)),
                Err(cause) => Err(failure::explain(cluster, &format!("read {reference}"), cause)),
            }
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut live = BTreeMap::new();
    for (reference, found) in found {
        match found {
            // On its way out: applying to it would change what is about to vanish.
            Some(object) if object.metadata.deletion_timestamp.is_some() => {
                let held = held_by(&object.metadata).map(|held| format!("; it is {held}")).unwrap_or_default();
                waiting(format!("waiting until the old {reference} is gone{held}"));
                gone(cluster, &reference, &object).await?;
            }
            Some(object) => drop(live.insert(reference, object)),
            None => {}
        }
    }
    Ok(live)
}

async fn gone(cluster: &Cluster, reference: &Reference, object: &DynamicObject) -> Result<(), Error> {
    let api = reference.api(&cluster.client, &cluster.namespace);
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let deleted = kube::runtime::conditions::is_deleted(&uid);
    kube::runtime::wait::await_condition(api, &reference.name, deleted).await.map(drop).map_err(|cause| {
        Error::new(ExitCode::Failed, format!("cannot wait until the old {reference} is gone"))
            .why(cause.to_string())
            .place(session::place(cluster))
            .next(format!("kubectl get {reference} -n {} --watch", cluster.namespace))
    })
}

/// Why a step failed.
struct Failure {
    error: Error,
    /// The server did not refuse: the object may be there all the same.
    may_exist: bool,
}

impl Failure {
    /// `explained` tells it to a person.
    fn of(cause: kube::Error, explained: impl FnOnce(kube::Error) -> Error) -> Self {
        let refused = matches!(&cause, kube::Error::Api(status) if (400..500).contains(&status.code));
        Self { error: explained(cause), may_exist: !refused }
    }
}

/// Applies every step of the plan, up to the first that fails. `exists` hears of each object that is there, with what
/// became of it, or may be (none) because its request was not answered, so that a failure half-way leaves a true
/// inventory.
pub(crate) async fn apply(
    cluster: &Cluster,
    plan: &Plan,
    mode: Mode,
    exists: impl Fn(&Reference, Option<Action>),
) -> Result<Vec<Applied>, Error> {
    let mut applied = Vec::new();
    let going = AtomicBool::new(true);
    for stage in [Stage::Before, Stage::Workload] {
        let mut results = stream::iter(plan.stage(stage))
            // After a failure nothing is started any more.
            .take_while(|_| std::future::ready(going.load(Ordering::Relaxed)))
            .map(|step| async move { (step, apply_step(cluster, step, mode).await) })
            .buffer_unordered(CONCURRENCY);
        let mut failed = None;
        // To the end also after a failure: what is in flight may exist already.
        while let Some((step, result)) = results.next().await {
            match result {
                Ok(object) => {
                    exists(&step.reference, Some(object.action));
                    applied.push(object);
                }
                Err(Failure { error, may_exist }) => {
                    going.store(false, Ordering::Relaxed);
                    if may_exist {
                        exists(&step.reference, None);
                    }
                    failed = failed.or(Some(error));
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    applied.sort_by_key(|object| object.reference.rank());
    Ok(applied)
}

async fn apply_step(cluster: &Cluster, step: &Step, mode: Mode) -> Result<Applied, Failure> {
    let mut changed = false;
    let mut manifest = step.manifest.clone();
    if let Replicas::Before(count) = step.replicas {
        changed = step.live.as_ref().is_some_and(|live| live.data.pointer("/spec/replicas") != Some(&json!(count)));
        match mode.effect {
            Effect::Persist => hold_replicas(cluster, &step.reference, count).await?,
            // A dry run can't build one apply upon another: here ours keeps the value that the other one would hold.
            Effect::DryRun if !changed => manifest["spec"]["replicas"] = json!(count),
            Effect::DryRun => {}
        }
    }
    let mut params = PatchParams::apply(FIELD_MANAGER);
    params.force = mode.conflicts == Conflicts::Force;
    params.dry_run = mode.effect == Effect::DryRun;
    let api = step.reference.api(&cluster.client, &cluster.namespace);
    let object = api
        .patch(&step.reference.name, &params, &Patch::Apply(&manifest))
        .await
        .map_err(|cause| Failure::of(cause, |cause| refused(cluster, step, cause)))?;
    if let Replicas::After(count) = step.replicas
        && mode.effect == Effect::Persist
    {
        // The object itself is there by now.
        hold_replicas(cluster, &step.reference, count)
            .await
            .map_err(|Failure { error, .. }| Failure { error, may_exist: true })?;
    }
    let action = match outcome(step.live.as_ref(), &object) {
        Action::Unchanged if changed => Action::Configured,
        action => action,
    };
    Ok(Applied { reference: step.reference.clone(), action, object })
}

/// Sets `spec.replicas`, as the field manager that holds nothing else. Forced: whoever asks last, owns.
async fn hold_replicas(cluster: &Cluster, reference: &Reference, count: i32) -> Result<(), Failure> {
    let manifest = json!({
        "apiVersion": reference.api_version, "kind": reference.kind,
        "metadata": { "name": reference.name }, "spec": { "replicas": count },
    });
    let api = reference.api(&cluster.client, &cluster.namespace);
    api.patch(&reference.name, &PatchParams::apply(REPLICAS_MANAGER).force(), &Patch::Apply(manifest))
        .await
        .map(drop)
        .map_err(|cause| {
            Failure::of(cause, |cause| failure::explain(cluster, &format!("set the replicas of {reference}"), cause))
        })
}

/// A conflict names each field and its owner, a claim its size; anything else is explained as everywhere.
fn refused(cluster: &Cluster, step: &Step, cause: kube::Error) -> Error {
    let reference = &step.reference;
    let kube::Error::Api(status) = &cause else {
        return failure::explain(cluster, &format!("apply {reference}"), cause);
    };
    let conflicts = if status.is_conflict() { conflicts(status) } else { Vec::new() };
    let error = Error::new(ExitCode::Failed, format!("cannot apply {reference}")).place(session::place(cluster));
    if let Some(size) = refused_size(step, status) {
        return error.why(status.message.clone()).next(format!(
            "its size is that of the first deploy unless the StorageClass allows expansion; set database.sqlite.size \
             back to {size}"
        ));
    }
    if conflicts.is_empty() {
        return failure::explain(cluster, &format!("apply {reference}"), cause);
    }
    let error =
        conflicts.iter().fold(error, |error, (manager, field)| error.why(format!("{field} is owned by {manager}")));
    let live = step.live.as_ref();
    let kept = live.and_then(|live| live.annotations().get(POLICY_ANNOTATION)).is_some_and(|policy| policy == KEEP);
    let helm = conflicts.iter().any(|(manager, _)| manager == "helm");
    if kept {
        // It outlives its release, so there may be none to change or to uninstall, and uninstalling would not remove it.
        let error = error.next("--force-conflicts takes it over, with its data");
        return if helm { error.next("a Helm release made it, and leaves it when it goes") } else { error };
    }
    let error = error.next("--force-conflicts takes these fields over; or leave them out of the values");
    if helm {
        error.next("a Helm release made it: `helm upgrade` changes it, `helm uninstall` removes it")
    } else {
        error
    }
}

/// The size that a claim has, when another was asked for and the answer may be due to that. Quota and storage say no
/// with the code of RBAC, which has a sentence of its own.
fn refused_size(step: &Step, status: &Status) -> Option<String> {
    let size =
        |object: &Value| object.pointer("/spec/resources/requests/storage").and_then(Value::as_str).map(str::to_owned);
    let has = size(&step.live.as_ref()?.data)?;
    let refused = matches!(status.code, 403 | 422) && MissingRight::parse(&status.message).is_none();
    (step.reference.is_claim() && refused && size(&step.manifest)? != has).then_some(has)
}

/// (manager, field) of every conflict.
fn conflicts(status: &Status) -> Vec<(String, String)> {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes
        .iter()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            // conflict with "kubectl" with subresource "scale" using apps/v1
            let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message);
            (manager.to_owned(), cause.field.trim_start_matches('.').to_owned())
        })
        .collect()
}
