//! What a deploy would do: rendered here alone, or checked by the API server.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use reach::Cluster;
use tokio::time::Instant;

use super::{action, conflicts, objects};
use crate::cli::deploy::{DeployArgs, DryRun};
use crate::cluster::apply::{self, Effect, Mode};
use crate::cluster::inventory::Inventory;
use crate::cluster::kinds::Reference;
use crate::cluster::kubernetes::Kubernetes;
use crate::cluster::lock::lease_name;
use crate::cluster::plan::{Action, Plan};
use crate::cluster::remove::{self, Fate};
use crate::cluster::wait::Wait;
use crate::cluster::{failure, namespace};
use crate::commands::deploy::{ObjectReport, Preview, ServiceReport};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::wanted::Wanted;

/// A dry run; one of the client's asks nobody.
pub(crate) async fn preview(
    kubernetes: &Kubernetes,
    wanted: &[Wanted],
    dry_run: DryRun,
    args: &DeployArgs,
    printer: &Printer,
    since: Instant,
) -> Result<Preview, Error> {
    match dry_run {
        // Without a cluster there is still something to show.
        DryRun::Client => client(wanted, &kubernetes.namespace().await),
        DryRun::Server => {
            let cluster = kubernetes.in_time(since, Some(args.wait.timeout)).await?;
            let action = format!("checking the {}", action(wanted));
            let wait = Wait::new(cluster, printer, &action, args.wait.timeout, since);
            let work = Box::pin(wait.in_time(server(&wait, wanted, args)));
            let outcome = Interrupt::listen()?.or("checking the deploy", work).await;
            let next = "msctl deploy SERVICE --dry-run=client, which asks no API server";
            outcome.map_err(|error| error.next_if_interrupted(next))
        }
    }
}

/// No cluster is asked, so no object is known to exist already.
fn client(wanted: &[Wanted], namespace: &str) -> Result<Preview, Error> {
    let mut preview = Preview { dry_run: DryRun::Client, services: Vec::new(), manifests: Vec::new() };
    for wanted in wanted {
        let objects = objects(wanted, namespace)?;
        let lines = objects.iter().map(|(reference, _)| line(reference, Action::Rendered)).collect();
        preview.services.push(ServiceReport { name: wanted.service.clone(), objects: lines, rollout: None });
        preview.manifests.extend(objects.into_iter().map(|(_, manifest)| manifest));
    }
    Ok(preview)
}

/// Has the API server admit, default and validate every object, and shows what would change.
async fn server(wait: &Wait<'_>, wanted: &[Wanted], args: &DeployArgs) -> Result<Preview, Error> {
    let cluster = wait.cluster;
    let mut preview = Preview { dry_run: DryRun::Server, services: Vec::new(), manifests: Vec::new() };
    if !namespace::exists(cluster).await? {
        return Err(namespace::missing(cluster, "check the deploy", false)
            .await
            .why("the API server checks objects only in a namespace that exists")
            .next(format!("kubectl create namespace {}, or --dry-run=client, which needs none", cluster.namespace)));
    }
    for wanted in wanted {
        let manifests = objects(wanted, &cluster.namespace)?;
        let before = inventory(cluster, &wanted.service).await?;
        let live = apply::read(cluster, &manifests, |line| wait.tell(line)).await?;
        wait.goes_on();
        let plan = Plan::new(manifests, live, &before, wanted.asked);
        let mode = Mode { conflicts: conflicts(args), effect: Effect::DryRun };
        let applied = apply::apply(cluster, &plan, mode, |_, _| {}).await?;
        let mut lines: Vec<ObjectReport> =
            applied.iter().map(|applied| line(&applied.reference, applied.action)).collect();
        for reference in &plan.prune {
            match remove::foreseen(cluster, reference).await? {
                Some(Fate::Goes) => lines.push(line(reference, Action::Deleted)),
                Some(Fate::Kept) => lines.push(line(reference, Action::Kept)),
                Some(Fate::Untouched) | None => {}
            }
        }
        preview.services.push(ServiceReport { name: wanted.service.clone(), objects: lines, rollout: None });
        preview.manifests.extend(applied.into_iter().map(|mut applied| {
            applied.object.metadata.managed_fields = None;
            serde_json::to_value(applied.object).unwrap_or_default()
        }));
    }
    Ok(preview)
}

fn line(reference: &Reference, action: Action) -> ObjectReport {
    ObjectReport { object: reference.to_string(), action }
}

/// What the last deploy left; read only, no Lease is taken for a look.
async fn inventory(cluster: &Cluster, service: &str) -> Result<Inventory, Error> {
    let api: Api<Lease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let name = lease_name(service);
    let lease = api
        .get_opt(&name)
        .await
        .map_err(|cause| failure::explain(cluster, &format!("read the Lease {name}"), cause))?;
    Ok(lease.and_then(|lease| lease.metadata.annotations).map(|found| Inventory::read(&found)).unwrap_or_default())
}
