//! Deleting from a cluster: what deploy made, by its labels and its inventory, until it is gone.

use std::cell::RefCell;

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt as _};
use reach::Cluster;
use tokio::time::Instant;

use crate::cli::delete::DeleteArgs;
use crate::cli::distinct;
use crate::cluster::diagnose::held;
use crate::cluster::held::{Held, unless_lost};
use crate::cluster::inventory::Inventory;
use crate::cluster::kinds::Reference;
use crate::cluster::lock::LockError;
use crate::cluster::progress::Goal;
use crate::cluster::remove::{self, Found, Removal, Removed};
use crate::cluster::wait::{Target, Wait};
use crate::cluster::watch::Watch;
use crate::cluster::{MANAGED_BY_LABEL, deployed, failure, ownership, session};
use crate::commands::delete::Deleted;
use crate::commands::outcome::Outcome;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;

/// Deletes what deploy made of each, and waits until it is gone.
pub(crate) async fn delete(
    cluster: &Cluster,
    args: &DeleteArgs,
    printer: &Printer,
    started: Instant,
) -> Result<Outcome<Deleted>, Error> {
    let services = distinct(&args.services);
    let action = format!("delete {}", services.join(", "));
    let mut interrupt = Interrupt::listen()?;
    let mut held = Held::new(cluster);
    let mut watch = args.wait.wanted().then(|| Watch::start(cluster, &services));
    let wait = Wait::new(cluster, printer, &action, args.wait.timeout, started);
    let mut removed = Vec::new();
    let work = Box::pin(all(&wait, &services, args, &mut held, watch.as_mut(), &mut removed));
    let outcome = interrupt.or(&action, work).await;
    drop(watch);
    printer.clear_live();
    held.release(interrupt.insisted(), printer).await;
    let deleted = report(cluster, removed);
    let look = format!("msctl status -n {}", cluster.namespace);
    Ok(Outcome::of(deleted, outcome).or_stays("what was deleted stays deleted", look))
}

/// Looks at all before it deletes any, so that a name which is wrong changes nothing. `removed` has at any time what
/// was done.
async fn all(
    wait: &Wait<'_>,
    services: &[String],
    args: &DeleteArgs,
    held: &mut Held,
    watch: Option<&mut Watch>,
    removed: &mut Vec<(String, Removal)>,
) -> Result<(), Error> {
    let mut found = Vec::new();
    for service in services {
        if let Some(one) = wait.in_time(find(wait, service, args, held)).await? {
            found.push((service, one));
        }
    }
    for (service, found) in found {
        removed.push((service.clone(), Removal::default()));
        let Some((_, removal)) = removed.last_mut() else { continue };
        let deleting = unless_lost(held.lost(), remove::delete_found(wait.cluster, &found, removal));
        let outcome = wait.in_time(deleting).await;
        removal.tell(wait.cluster, wait.printer);
        outcome?;
    }
    if let Some(watch) = watch {
        unless_lost(held.lost(), until_gone(wait, watch, removed)).await?;
    }
    for (service, _) in removed {
        held.settle(service, Inventory::default());
    }
    Ok(())
}

/// Waits until nothing is left of what was deleted.
async fn until_gone(wait: &Wait<'_>, watch: &mut Watch, removed: &[(String, Removal)]) -> Result<(), Error> {
    let target = |(service, removal): &(String, Removal)| Target {
        service: service.clone(),
        goal: Goal::Gone { uid: removal.deployment_uid(service).cloned() },
    };
    let targets: Vec<Target> = removed.iter().map(target).collect();
    wait.until_done(watch, &targets).await?;
    // The watch has seen the Deployments go.
    let others = removed.iter().flat_map(|(_, removal)| &removal.removed).filter(|one| !one.reference.is_deployment());
    let lingering: Vec<&Removed> = others.filter(|one| !one.finalizers.is_empty()).collect();
    wait.printer.live(lingering.iter().map(|one| format!("waiting until {} is gone", one.reference)).collect());
    let left = RefCell::new(lingering.clone());
    let gone = futures::future::try_join_all(lingering.iter().map(async |one| {
        remove::gone(wait.cluster, one).await?;
        left.borrow_mut().retain(|other| other.reference != one.reference);
        Ok(())
    }));
    match tokio::time::timeout_at(wait.since + wait.timeout, gone).await {
        Ok(done) => done.map(drop),
        Err(_) => Err(left.borrow().iter().fold(wait.late(), |error, one| {
            let held = held::by(&one.finalizers).unwrap_or_else(|| "still there".to_owned());
            error
                .why(format!("{} is {held}", one.reference))
                .next(format!("kubectl get {} -n {} -o yaml", one.reference, wait.cluster.namespace))
        })),
    }
}

/// What there is of one service to delete, when its Lease is held. None when there is no such service and that is fine.
async fn find(wait: &Wait<'_>, service: &str, args: &DeleteArgs, held: &mut Held) -> Result<Option<Found>, Error> {
    let cluster = wait.cluster;
    let taken = held.take(service, &Inventory::default(), |line| wait.tell(line)).await;
    wait.goes_on();
    let before = match taken {
        Ok(before) => before,
        Err(LockError::Api { cause: kube::Error::Api(status), .. })
            if failure::missing_namespace(&status).is_some() =>
        {
            return missing(cluster, service, args).await;
        }
        Err(error) => return Err(error.explain(cluster)),
    };
    let found = unless_lost(held.lost(), remove::find(cluster, service, &before, wait.printer)).await?;
    let over = found.is_over();
    // Until they are gone, they may be there.
    held.settle(service, if over { Inventory::default() } else { found.inventory() });
    if !found.has(&Reference::new("apps/v1", "Deployment", service))
        && let Some(error) = of_somebody_else(cluster, service, &found).await
    {
        found.tell(cluster, wait.printer);
        return Err(error);
    }
    if over {
        found.tell(cluster, wait.printer);
        // What an earlier deletion kept is no service.
        return missing(cluster, service, args).await;
    }
    Ok(Some(found))
}

/// Nothing that deploy made.
async fn missing(cluster: &Cluster, service: &str, args: &DeleteArgs) -> Result<Option<Found>, Error> {
    if args.ignore_not_found {
        return Ok(None);
    }
    Err(deployed::unknown(cluster, &format!("delete {service}"), service).await)
}

/// Why the Deployment that is there is not for us to delete: then what we made beside it stays too, because it may be
/// in use.
async fn of_somebody_else(cluster: &Cluster, service: &str, found: &Found) -> Option<Error> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let deployment = api.get_opt(service).await.ok()??;
    if ownership::is_ours(&deployment.metadata) {
        return None;
    }
    let owner = deployment.labels().get(MANAGED_BY_LABEL).cloned().unwrap_or_else(|| "somebody else".to_owned());
    let next = match deployment.annotations().get("meta.helm.sh/release-name") {
        Some(release) => format!("helm uninstall {release} -n {}", cluster.namespace),
        None => format!("kubectl delete deployment {service} -n {}", cluster.namespace),
    };
    let ours: Vec<String> = found.goes().map(ToString::to_string).collect();
    let error = Error::new(ExitCode::Failed, format!("cannot delete {service}"))
        .why(format!("its Deployment is managed by {owner}, not by msctl"))
        .place(session::place(cluster));
    if ours.is_empty() {
        return Some(error.next(next));
    }
    let leftovers = ours.join(", ");
    Some(error.why(format!("what msctl made beside it stays: {leftovers}")).next(next).next(format!(
        "kubectl delete {} -n {}, when nothing uses them",
        ours.join(" "),
        cluster.namespace
    )))
}

fn report(cluster: &Cluster, removed: Vec<(String, Removal)>) -> Vec<Deleted> {
    let done = removed.into_iter().filter(|(_, removal)| !removal.removed.is_empty() || !removal.kept.is_empty());
    done.map(|(name, removal)| Deleted {
        name,
        namespace: cluster.namespace.clone(),
        objects: removal.removed.iter().map(|removed| removed.reference.to_string()).collect(),
        kept: removal.kept.iter().map(ToString::to_string).collect(),
    })
    .collect()
}
