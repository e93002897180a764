//! Deleting from a cluster: what deploy made, by its inventory, until it is gone.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt as _};
use reach::Cluster;
use tokio::time::Instant;

use crate::cli::delete::DeleteArgs;
use crate::cli::distinct;
use crate::cluster::held::{Held, unless_lost};
use crate::cluster::inventory::Inventory;
use crate::cluster::kinds::Reference;
use crate::cluster::lock::LockError;
use crate::cluster::progress::Goal;
use crate::cluster::remove::{self, Removal, Removed};
use crate::cluster::wait::{Target, Wait};
use crate::cluster::watch::Watch;
use crate::cluster::{MANAGED_BY, MANAGED_BY_LABEL, deployed, failure, session};
use crate::commands::delete::Deleted;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;

/// Deletes what deploy made of each, and waits until it is gone.
pub(crate) async fn delete(cluster: &Cluster, args: &DeleteArgs, printer: &Printer) -> Result<Vec<Deleted>, Error> {
    let started = Instant::now();
    let services = distinct(&args.services);
    let action = format!("delete {}", services.join(", "));
    let mut interrupt = Interrupt::listen()?;
    let mut held = Held::new(cluster);
    let mut watch = args.wait.wanted().then(|| Watch::start(cluster, &services));
    let wait = Wait { cluster, printer, action: action.clone(), timeout: args.wait.timeout, since: started };
    let work = Box::pin(async {
        let mut removed = Vec::new();
        for service in &services {
            if let Some(found) = wait.in_time(remove_one(cluster, service, args, &mut held, printer)).await? {
                removed.push((service.clone(), found));
            }
        }
        if let Some(watch) = &mut watch {
            unless_lost(held.lost(), until_gone(&wait, watch, &removed)).await?;
        }
        for (service, _) in &removed {
            held.settle(service, Inventory::default());
        }
        Ok(removed)
    });
    let look = format!("msctl status -n {}", cluster.namespace);
    let outcome = interrupt.or_look(&format!("{action}; what was deleted stays deleted"), &look, work).await;
    drop(watch);
    printer.clear_live();
    held.release(interrupt.signalled(), printer).await;
    Ok(report(cluster, outcome?))
}

/// Waits until nothing is left of what was deleted.
async fn until_gone(wait: &Wait<'_>, watch: &mut Watch, removed: &[(String, Removal)]) -> Result<(), Error> {
    let target = |(service, _): &(String, Removal)| Target { service: service.clone(), goal: Goal::Gone };
    let targets: Vec<Target> = removed.iter().map(target).collect();
    wait.until_done(watch, &targets).await?;
    // The watch has seen the Deployments go.
    let others = removed.iter().flat_map(|(_, removal)| &removal.removed).filter(|one| !one.reference.is_deployment());
    let lingering: Vec<&Removed> = others.filter(|one| one.lingering.is_some()).collect();
    wait.printer.live(lingering.iter().map(|one| format!("waiting until {} is gone", one.reference)).collect());
    let gone = futures::future::try_join_all(lingering.iter().map(|one| remove::gone(wait.cluster, one)));
    match tokio::time::timeout_at(wait.since + wait.timeout, gone).await {
        Ok(done) => done.map(drop),
        Err(_) => Err(lingering.iter().fold(wait.late().why("an object is held by a finalizer"), |error, one| {
            error.next(format!("kubectl get {} -n {} -o yaml", one.reference, wait.cluster.namespace))
        })),
    }
}

/// Asks for the deletion of one service's objects. None when there is no such service and that is fine.
async fn remove_one(
    cluster: &Cluster,
    service: &str,
    args: &DeleteArgs,
    held: &mut Held,
    printer: &Printer,
) -> Result<Option<Removal>, Error> {
    let before = match held.take(service, &Inventory::default(), printer).await {
        Ok(before) => before,
        Err(LockError::Api { cause: kube::Error::Api(status), .. })
            if failure::missing_namespace(&status).is_some() =>
        {
            return missing(cluster, service, args).await;
        }
        Err(error) => return Err(error.explain(cluster)),
    };
    unless_lost(held.lost(), remove_known(cluster, service, before, args, held, printer)).await
}

/// The rest of it, when its Lease is held.
async fn remove_known(
    cluster: &Cluster,
    service: &str,
    before: Inventory,
    args: &DeleteArgs,
    held: &mut Held,
    printer: &Printer,
) -> Result<Option<Removal>, Error> {
    let known = if before.is_empty() {
        remove::labelled(cluster, service).await?
    } else {
        before.union(&remove::labelled_claims(cluster, service).await?)
    };
    // Until they are gone, they may be there.
    held.settle(service, known.clone());
    if known.is_empty() {
        return missing(cluster, service, args).await;
    }
    let mut references: Vec<Reference> = known.iter().cloned().collect();
    references.sort_by_key(|reference| std::cmp::Reverse(reference.rank()));
    let mut removal = remove::delete(cluster, &references).await;
    removal.tell(cluster, printer);
    if let Some(error) = removal.failed.take() {
        return Err(error);
    }
    if removal.removed.is_empty() {
        // Nothing of what is known is there, or is ours.
        held.settle(service, Inventory::default());
        if let Some(error) = of_somebody_else(cluster, service).await {
            return Err(error);
        }
        // What an earlier deletion kept is no service.
        if !removal.kept.is_empty() {
            return missing(cluster, service, args).await;
        }
    }
    Ok(Some(removal))
}

/// Nothing that deploy made: unknown, or somebody else's.
async fn missing(cluster: &Cluster, service: &str, args: &DeleteArgs) -> Result<Option<Removal>, Error> {
    if let Some(error) = of_somebody_else(cluster, service).await {
        return Err(error);
    }
    if args.ignore_not_found {
        return Ok(None);
    }
    Err(deployed::unknown(cluster, &format!("delete {service}"), service).await)
}

/// Why the Deployment that is there is not for us to delete.
async fn of_somebody_else(cluster: &Cluster, service: &str) -> Option<Error> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let deployment = api.get_opt(service).await.ok()??;
    let owner = deployment.labels().get(MANAGED_BY_LABEL).cloned().unwrap_or_else(|| "somebody else".to_owned());
    if owner == MANAGED_BY {
        return None;
    }
    let next = match deployment.annotations().get("meta.helm.sh/release-name") {
        Some(release) => format!("helm uninstall {release} -n {}", cluster.namespace),
        None => format!("kubectl delete deployment {service} -n {}", cluster.namespace),
    };
    Some(
        Error::new(ExitCode::Failed, format!("cannot delete {service}"))
            .why(format!("it is managed by {owner}, not by msctl"))
            .place(session::place(cluster))
            .next(next),
    )
}

fn report(cluster: &Cluster, removed: Vec<(String, Removal)>) -> Vec<Deleted> {
    removed
        .into_iter()
        .map(|(name, removal)| Deleted {
            name,
            namespace: cluster.namespace.clone(),
            objects: removal.removed.iter().map(|removed| removed.reference.to_string()).collect(),
            kept: removal.kept.iter().map(ToString::to_string).collect(),
        })
        .collect()
}
