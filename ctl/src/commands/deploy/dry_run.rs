//! What a deploy would do: rendered here alone, or checked by the API server.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::Value;

use super::report::{ObjectReport, Report, ServiceReport};
use super::wanted::Wanted;
use crate::cli::Format;
use crate::cluster::apply::{self, Conflicts, Effect, Mode};
use crate::cluster::inventory::Inventory;
use crate::cluster::lock::lease_name;
use crate::cluster::plan::{Action, Plan};
use crate::cluster::{failure, namespace, remove};
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use reach::Cluster;

/// Prints the objects; no cluster is asked, so none is known to exist already.
pub(super) fn client(wanted: &[Wanted], namespace: &str, format: Format, printer: &Printer) -> Result<ExitCode, Error> {
    let mut manifests = Vec::new();
    for wanted in wanted {
        manifests.extend(wanted.objects(namespace)?);
    }
    match format {
        Format::Json | Format::Yaml => {
            print_manifests(manifests.into_iter().map(|(_, manifest)| manifest), format, printer)?;
        }
        Format::Name => {
            for (reference, _) in &manifests {
                printer.line(&reference.to_string())?;
            }
        }
        Format::Table | Format::Wide => {
            for (reference, _) in &manifests {
                printer.line(&format!("{reference} rendered (client dry run)"))?;
            }
        }
    }
    Ok(ExitCode::Done)
}

/// Has the API server admit, default and validate every object, and shows what would change.
pub(super) async fn server(
    cluster: &Cluster,
    wanted: &[Wanted],
    conflicts: Conflicts,
    format: Format,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let mut report = Report { namespace: cluster.namespace.clone(), dry_run: "server", services: Vec::new() };
    let mut objects = Vec::new();
    if !namespace::exists(cluster).await? {
        return Err(namespace::missing(cluster, "check the deploy", false)
            .await
            .why("the API server checks objects only in a namespace that exists"));
    }
    for wanted in wanted {
        let manifests = wanted.objects(&cluster.namespace)?;
        let before = inventory(cluster, &wanted.service).await?;
        let live = apply::read(cluster, &manifests, |line| printer.live(vec![line])).await?;
        let plan = Plan::new(manifests, live, &before, wanted.asked);
        let mode = Mode { conflicts, effect: Effect::DryRun };
        let applied = apply::apply(cluster, &plan, mode, |_| {}).await?;
        let mut lines: Vec<ObjectReport> = applied
            .iter()
            .map(|applied| ObjectReport { object: applied.reference.to_string(), action: applied.action })
            .collect();
        for reference in &plan.prune {
            let kept = remove::is_kept(cluster, reference).await?;
            let action = if kept { Action::Kept } else { Action::Deleted };
            lines.push(ObjectReport { object: reference.to_string(), action });
        }
        objects.extend(applied.into_iter().map(|applied| applied.object));
        report.services.push(ServiceReport { name: wanted.service.clone(), objects: lines, rollout: None });
    }
    match format {
        Format::Json | Format::Yaml => {
            let manifests = objects.into_iter().map(|mut object| {
                object.metadata.managed_fields = None;
                serde_json::to_value(object).unwrap_or_default()
            });
            print_manifests(manifests, format, printer)?;
        }
        _ => {
            for service in &report.services {
                service.print_objects(printer, format, " (server dry run)")?;
            }
        }
    }
    Ok(ExitCode::Done)
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

/// A YAML stream, or a JSON `List`: what `kubectl apply -f -` takes.
fn print_manifests(manifests: impl Iterator<Item = Value>, format: Format, printer: &Printer) -> Result<(), Error> {
    if format == Format::Json {
        let items: Vec<Value> = manifests.collect();
        return printer.json(&serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": items }));
    }
    for manifest in manifests {
        printer.line("---")?;
        printer.yaml(&manifest)?;
    }
    Ok(())
}
