//! A Lease per service keeps two deploys of it apart. It expires, so a killed client is no obstacle for long; it
//! holds the service's inventory, so taking it costs no request more than reading that.

mod renewal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent, WatchParams};
use reach::Cluster;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use self::renewal::{Loss, Renewal};
use super::inventory::{self, Inventory};
use super::{FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL, NAME_LABEL, failure, session};
use crate::error::{Error, ExitCode};

/// A holder that has not renewed for this long is taken for dead.
const DURATION: Duration = Duration::from_secs(15);
/// More rounds than any honest race takes.
const ATTEMPTS: usize = 8;

/// The name of a service's Lease.
pub(crate) fn lease_name(service: &str) -> String {
    format!("msctl-{service}")
}

/// Held until `release`; dropped without it, it expires.
#[derive(Debug)]
pub(crate) struct Lock {
    api: Api<Lease>,
    service: String,
    holder: String,
    version: Arc<Mutex<String>>,
    renewal: JoinHandle<()>,
    loss: tokio::sync::watch::Receiver<Option<Loss>>,
}

/// Why a Lease could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{holder} is changing {service} right now")]
    Held { service: String, holder: String, renewed: Option<Timestamp> },
    #[error("others keep taking the Lease of {service} first")]
    Contended { service: String },
    #[error("cannot take the Lease of {service}: {cause}")]
    Api { service: String, cause: kube::Error },
}

impl LockError {
    pub(crate) fn explain(self, cluster: &Cluster) -> Error {
        match self {
            Self::Api { service, cause } => {
                failure::explain(cluster, &format!("take the Lease {}", lease_name(&service)), cause)
            }
            Self::Held { ref service, renewed, .. } => {
                let error = Error::new(ExitCode::Failed, format!("cannot change {service}"))
                    .why(self.to_string())
                    .place(format!("Lease {}, {}", lease_name(service), session::place(cluster)))
                    .next("run it again when that is done; it is taken over 15 s after a holder's last sign of life");
                match renewed {
                    Some(renewed) => error.why(format!("its last sign of life was at {renewed:.0}")),
                    None => error,
                }
            }
            Self::Contended { ref service } => Error::new(ExitCode::Failed, format!("cannot change {service}"))
                .why(self.to_string())
                .next(format!("run it again; msctl status {service} shows how it is")),
        }
    }
}

/// Who takes a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder(String);

impl Holder {
    /// This process, in words for the one who meets its Lease: `alice@laptop/4711/9f3a`; the last part tells two of
    /// the same process id apart.
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let user = std::env::var("USER").unwrap_or_else(|_| cluster.user.clone());
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .or_else(|_| std::fs::read_to_string("/etc/hostname"))
            .unwrap_or_else(|_| "localhost".to_owned());
        let nonce = Timestamp::now().as_nanosecond() & 0xffff_ffff;
        Self(format!("{user}@{}/{}/{nonce:x}", host.trim(), std::process::id()))
    }
}

/// Gives a Lease back that may have been taken: the request was cut off before its answer. Nothing was made under it,
/// so what there is of the service is what was there `before`.
pub(crate) async fn abandon(
    cluster: &Cluster,
    service: &str,
    holder: &Holder,
    before: &Inventory,
) -> Result<(), kube::Error> {
    let api = leases(cluster);
    let Some(lease) = api.get_opt(&lease_name(service)).await? else { return Ok(()) };
    if holder_of(&lease) != Some(&holder.0) {
        return Ok(());
    }
    Lock::held(api, service, holder.0.clone(), &lease).release(before).await
}

fn leases(cluster: &Cluster) -> Api<Lease> {
    Api::namespaced(cluster.client.clone(), &cluster.namespace)
}

/// What an attempt to take the Lease came to.
enum Attempt {
    Got(Box<Lease>),
    Busy(Box<Lease>),
    Again,
}

impl Lock {
    /// Takes the Lease of `service` for `holder`, and notes in it that the objects of `wanted` may exist from now on.
    /// What was there is in `before` as soon as anything is written: also when this is dropped before the answer. A
    /// dead holder is waited out (`waiting` is told who it is); a living one is an error.
    pub(crate) async fn acquire(
        cluster: &Cluster,
        service: &str,
        holder: &Holder,
        wanted: &Inventory,
        before: &mut Inventory,
        waiting: impl Fn(String),
    ) -> Result<Self, LockError> {
        let api = leases(cluster);
        let failed = |cause| LockError::Api { service: service.to_owned(), cause };
        let mut dead = None;
        for _ in 0..ATTEMPTS {
            let attempt = attempt(&api, service, &holder.0, wanted, before, dead.as_ref());
            match attempt.await.map_err(failed)? {
                Attempt::Got(lease) => return Ok(Self::held(api, service, holder.0.clone(), &lease)),
                Attempt::Busy(lease) => {
                    let spec = lease.spec.clone().unwrap_or_default();
                    let holder = shown(spec.holder_identity.as_deref().unwrap_or_default());
                    waiting(format!("{service}: {holder} was changing it; waiting for a sign of life"));
                    if is_alive(&api, &lease).await {
                        let renewed = spec.renew_time.map(|time| time.0);
                        return Err(LockError::Held { service: service.to_owned(), holder, renewed });
                    }
                    dead = lease.metadata.resource_version;
                }
                Attempt::Again => {}
            }
        }
        Err(LockError::Contended { service: service.to_owned() })
    }

    fn held(api: Api<Lease>, service: &str, holder: String, lease: &Lease) -> Self {
        let version = Arc::new(Mutex::new(lease.metadata.resource_version.clone().unwrap_or_default()));
        let (tell, loss) = tokio::sync::watch::channel(None);
        let (name, known) = (lease_name(service), Arc::clone(&version));
        let renewal = Renewal { api: api.clone(), name, holder: holder.clone(), version: known };
        let renewal = tokio::spawn(renewal.run(tell));
        Self { api, service: service.to_owned(), holder, version, renewal, loss }
    }

    /// Resolves when somebody else has taken the Lease, or may have because we could not renew it in time.
    pub(crate) fn lost(&self) -> impl Future<Output = Error> + Send + use<> {
        let (mut loss, service) = (self.loss.clone(), self.service.clone());
        async move {
            let loss = loss.wait_for(Option::is_some).await.ok().and_then(|loss| *loss);
            let why = match loss {
                // The renewal ended otherwise: it was released.
                None => return std::future::pending().await,
                Some(Loss::TakenOver) => "another msctl has taken it over, or somebody has deleted it",
                Some(Loss::Expired) => "it could not be renewed for 15 s, and another msctl may take it over",
            };
            Error::new(ExitCode::Failed, format!("lost the Lease of {service}"))
                .why(why)
                .next(format!("msctl status {service}"))
        }
    }

    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Gives it back, with what exists now. With nothing left, the Lease goes too.
    pub(crate) async fn release(self, inventory: &Inventory) -> Result<(), kube::Error> {
        self.renewal.abort();
        let name = lease_name(&self.service);
        let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for _ in 0..ATTEMPTS {
            match self.give_back(&name, &version, inventory).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
                // Our own renewal may have been on its way.
                Err(kube::Error::Api(status)) if status.is_conflict() => match self.api.get_opt(&name).await? {
                    Some(lease) if holder_of(&lease) == Some(&self.holder) => {
                        version = lease.metadata.resource_version.unwrap_or_default();
                    }
                    _ => return Ok(()),
                },
                outcome => return outcome,
            }
        }
        Ok(())
    }

    async fn give_back(&self, name: &str, version: &str, inventory: &Inventory) -> Result<(), kube::Error> {
        if inventory.is_empty() {
            let preconditions = Preconditions { resource_version: Some(version.to_owned()), uid: None };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            return self.api.delete(name, &params).await.map(drop);
        }
        let spec = json!({ "holderIdentity": null, "acquireTime": null, "renewTime": null });
        patch(&self.api, name, version, &spec, Some(inventory)).await.map(drop)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// `dead` is the resource version of a Lease whose holder gave no sign of life for as long as it had to.
async fn attempt(
    api: &Api<Lease>,
    service: &str,
    holder: &str,
    wanted: &Inventory,
    before: &mut Inventory,
    dead: Option<&String>,
) -> Result<Attempt, kube::Error> {
    let name = lease_name(service);
    let now = Timestamp::now();
    let result = match api.get_opt(&name).await? {
        None => {
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            *before = Inventory::default();
            api.create(&params, &fresh(service, holder, wanted, now)).await
        }
        // Unchanged since it was watched: however the holder's clock goes, it is dead.
        Some(lease) if is_free(&lease, now) || (dead.is_some() && lease.metadata.resource_version.as_ref() == dead) => {
            *before = Inventory::read(lease.metadata.annotations.as_ref().unwrap_or(&BTreeMap::new()));
            let spec = lease.spec.unwrap_or_default();
            let spec = json!({
                "holderIdentity": holder,
                "leaseDurationSeconds": DURATION.as_secs(),
                "acquireTime": MicroTime(now),
                "renewTime": MicroTime(now),
                "leaseTransitions": spec.lease_transitions.unwrap_or_default().saturating_add(1),
            });
            let version = lease.metadata.resource_version.unwrap_or_default();
            patch(api, &name, &version, &spec, Some(&before.union(wanted))).await
        }
        Some(lease) => return Ok(Attempt::Busy(Box::new(lease))),
    };
    match result {
        Ok(lease) => Ok(Attempt::Got(Box::new(lease))),
        // Somebody was quicker.
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(Attempt::Again),
        // Deleted between our read and our write; a missing namespace stays an error.
        Err(kube::Error::Api(status)) if status.is_not_found() && failure::missing_namespace(&status).is_none() => {
            Ok(Attempt::Again)
        }
        Err(cause) => Err(cause),
    }
}

fn fresh(service: &str, holder: &str, wanted: &Inventory, now: Timestamp) -> Lease {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Lease {
        metadata: ObjectMeta {
            name: Some(lease_name(service)),
            labels: Some(BTreeMap::from([pair(NAME_LABEL, service), pair(MANAGED_BY_LABEL, MANAGED_BY)])),
            annotations: Some(BTreeMap::from([pair(inventory::ANNOTATION, &wanted.write())])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(0),
            ..LeaseSpec::default()
        }),
    }
}

/// Writes only if nobody wrote since `version`: a merge patch, so that fields newer than our types survive.
async fn patch(
    api: &Api<Lease>,
    name: &str,
    version: &str,
    spec: &Value,
    inventory: Option<&Inventory>,
) -> Result<Lease, kube::Error> {
    let mut metadata = json!({ "resourceVersion": version });
    if let Some(inventory) = inventory {
        metadata["annotations"] = json!({ inventory::ANNOTATION: inventory.write() });
    }
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(name, &params, &Patch::Merge(json!({ "metadata": metadata, "spec": spec }))).await
}

/// Nobody holds it, or its holder has not renewed in time by our clock. A clock that runs fast takes a Lease too
/// early; its holder notices at its next renewal and stops.
fn is_free(lease: &Lease, now: Timestamp) -> bool {
    let Some(spec) = &lease.spec else { return true };
    if holder_of(lease).is_none() {
        return true;
    }
    let duration = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
    spec.renew_time.as_ref().is_none_or(|renewed| renewed.0 + Duration::from_secs(duration) <= now)
}

fn holder_of(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

/// Watches a held Lease until its holder renews it (true), gives it back, or lets it expire (false).
async fn is_alive(api: &Api<Lease>, lease: &Lease) -> bool {
    let Some(spec) = &lease.spec else { return false };
    let expires = spec.renew_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |renewed| renewed.0 + DURATION);
    let left = Duration::try_from(expires.duration_since(Timestamp::now())).unwrap_or_default().min(DURATION);
    let watched = tokio::time::timeout(left + Duration::from_millis(50), async {
        let name = lease.metadata.name.clone().unwrap_or_default();
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let params = WatchParams::default().fields(&format!("metadata.name={name}"));
        let Ok(changes) = api.watch(&params, &version).await else { return std::future::pending().await };
        let mut changes = std::pin::pin!(changes);
        while let Some(Ok(change)) = changes.next().await {
            match change {
                WatchEvent::Modified(now) | WatchEvent::Added(now) => {
                    return holder_of(&now) == holder_of(lease);
                }
                WatchEvent::Deleted(_) => return false,
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => break,
            }
        }
        std::future::pending().await
    });
    watched.await.unwrap_or(false)
}

/// `alice@laptop/4711/9f3a` as a person reads it.
fn shown(identity: &str) -> String {
    let mut parts = identity.rsplitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(pid), Some(who)) => format!("{who} (process {pid})"),
        _ => identity.to_owned(),
    }
}

#[cfg(test)]
mod tests;
