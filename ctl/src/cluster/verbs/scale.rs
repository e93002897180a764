//! Scaling in a cluster: the scale subresource, or the bounds of an autoscaler; then a watch until that many are ready.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use manifests::{DATABASE_ANNOTATION, SQLITE, database_claim_name};
use reach::Cluster;
use serde_json::json;
use tokio::time::Instant;

use crate::cli::distinct;
use crate::cli::scale::ScaleArgs;
use crate::cluster::autoscaler::{self, Autoscaler};
use crate::cluster::deployed;
use crate::cluster::progress::Goal;
use crate::cluster::wait::{Target, Wait};
use crate::cluster::watch::Watch;
use crate::cluster::{NAME_LABEL, REPLICAS_MANAGER, failure, session};
use crate::commands::outcome::Outcome;
use crate::commands::scale::{Now, Scaled};
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;

/// Looks at all, sets all, then waits for all.
pub(crate) async fn scale(
    cluster: &Cluster,
    args: &ScaleArgs,
    printer: &Printer,
    started: Instant,
) -> Result<Outcome<Scaled>, Error> {
    let services = distinct(&args.services);
    let action = format!("scale {}", services.join(", "));
    let mut interrupt = Interrupt::listen()?;
    // Before anything changes, so that no event is missed.
    let mut watch = args.wait.wanted().then(|| Watch::start(cluster, &services));
    let wait = Wait::new(cluster, printer, &action, args.wait.timeout, started);
    let mut scaled = Vec::new();
    let work = Box::pin(all(&wait, &services, args, watch.as_mut(), &mut scaled));
    let outcome = interrupt.or(&action, work).await;
    printer.clear_live();
    for scaled in &mut scaled {
        scaled.milliseconds = started.elapsed().as_millis();
    }
    let look = format!("msctl status -n {}", cluster.namespace);
    Ok(Outcome::of(scaled, outcome).or_stays("what was set stays set", look))
}

/// Looks at all before it sets any, so that a name which is wrong changes nothing. `scaled` has at any time what was
/// set.
async fn all(
    wait: &Wait<'_>,
    services: &[String],
    args: &ScaleArgs,
    watch: Option<&mut Watch>,
    scaled: &mut Vec<Scaled>,
) -> Result<(), Error> {
    let mut changes = Vec::new();
    for service in services {
        changes.push(wait.in_time(Box::pin(look(wait.cluster, service, args))).await?);
    }
    let mut targets = Vec::new();
    for change in changes {
        wait.in_time(Box::pin(set(wait.cluster, &change))).await?;
        let report = change.report;
        let goal = match report.now {
            Now::Replicas { replicas } => Goal::Replicas { count: replicas },
            Now::Bounds { min, max } => Goal::Between { min, max },
        };
        targets.push(Target { service: report.name.clone(), goal });
        scaled.push(report);
    }
    if let Some(watch) = watch {
        for (scaled, progress) in scaled.iter_mut().zip(wait.until_done(watch, &targets).await?) {
            scaled.ready = Some(progress.ready);
        }
    }
    Ok(())
}

/// What is to be set of a service.
struct Change {
    report: Scaled,
    /// Whose bounds they are.
    scaler: Option<Autoscaler>,
}

/// What is to be set of one service, unless it can't be.
async fn look(cluster: &Cluster, service: &str, args: &ScaleArgs) -> Result<Change, Error> {
    let action = format!("scale {service}");
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let (deployment, scaler) = futures::join!(api.get_opt(service), autoscaler::find(cluster, service));
    let deployment = match deployment {
        Ok(Some(deployment)) => deployment,
        Ok(None) => return Err(deployed::unknown(cluster, &action, service).await),
        Err(cause) => return Err(failure::explain(cluster, &format!("read deployment.apps/{service}"), cause)),
    };
    if deployment.labels().get(NAME_LABEL).is_none_or(|name| name != service) {
        return Err(Error::new(ExitCode::Failed, format!("cannot {action}"))
            .why(format!("deployment.apps/{service} was made neither by msctl nor by its charts"))
            .place(session::place(cluster))
            .next(format!("kubectl scale deployment {service} -n {} --replicas N", cluster.namespace)));
    }
    let one_file = deployment.annotations().get(DATABASE_ANNOTATION).is_some_and(|database| database == SQLITE);
    let most = args.replicas.max(args.min).max(args.max);
    if one_file && let Some(most @ 2..) = most {
        return Err(one_pod_only(cluster, &action, service, most));
    }
    let namespace = cluster.namespace.clone();
    let before = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let (now, scaler) = match (args.replicas, scaler?) {
        (Some(_), Some(scaler)) => return Err(owned_by_autoscaler(cluster, &action, service, &scaler)),
        (Some(replicas), None) => (Now::Replicas { replicas }, None),
        (None, Some(scaler)) => {
            let (min, max) = (args.min.unwrap_or(scaler.min), args.max.unwrap_or(scaler.max));
            if min > max {
                return Err(Error::usage(format!("cannot {action}"))
                    .why(format!("its autoscaler would have a minimum of {min} and a maximum of {max}"))
                    .next(format!(
                        "msctl scale {service} -n {namespace} --min {} --max {}",
                        min.min(max),
                        min.max(max)
                    )));
            }
            (Now::Bounds { min, max }, Some(scaler))
        }
        (None, None) => {
            return Err(Error::new(ExitCode::Failed, format!("cannot {action}"))
                .why(format!("{service} has no autoscaler, and --min and --max are its bounds"))
                .place(session::place(cluster))
                .next(format!("msctl scale {service} -n {namespace} --replicas N"))
                .next(format!("msctl deploy {service} -n {namespace} --set autoscaling.enabled=true")));
        }
    };
    let object = format!("deployment.apps/{service}");
    let report = Scaled { object, name: service.to_owned(), namespace, before, now, ready: None, milliseconds: 0 };
    Ok(Change { report, scaler })
}

async fn set(cluster: &Cluster, Change { report, scaler }: &Change) -> Result<(), Error> {
    match (report.now, scaler) {
        (Now::Bounds { min, max }, Some(scaler)) => autoscaler::bound(cluster, scaler, min, max).await,
        (Now::Bounds { .. }, None) => Ok(()),
        (Now::Replicas { replicas }, _) => set_replicas(cluster, &report.name, replicas).await,
    }
}

async fn set_replicas(cluster: &Cluster, service: &str, replicas: i32) -> Result<(), Error> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let params = PatchParams { field_manager: Some(REPLICAS_MANAGER.to_owned()), ..PatchParams::default() };
    let scale = json!({ "spec": { "replicas": replicas } });
    api.patch_scale(service, &params, &Patch::Merge(scale))
        .await
        .map(drop)
        .map_err(|cause| failure::explain(cluster, &format!("scale {service}"), cause))
}

fn owned_by_autoscaler(cluster: &Cluster, action: &str, service: &str, scaler: &Autoscaler) -> Error {
    let Autoscaler { name, min, max, remarks } = scaler;
    let error = Error::new(ExitCode::Failed, format!("cannot {action} by --replicas"))
        .why(format!("autoscaler {name} decides between {min} and {max}, and would undo it"));
    let error = remarks.iter().fold(error, |error, remark| error.why(format!("it says: {remark}")));
    error
        .place(session::place(cluster))
        .next(format!("msctl scale {service} -n {} --min N --max M", cluster.namespace))
        .next(format!("msctl deploy {service} -n {} --set autoscaling.enabled=false", cluster.namespace))
}

/// Another database starts empty, so the way to more pods is no mere setting.
fn one_pod_only(cluster: &Cluster, action: &str, service: &str, most: i32) -> Error {
    let namespace = &cluster.namespace;
    Error::new(ExitCode::Failed, format!("cannot {action} to {most}"))
        .why("its pods can't share an SQLite database: it is a file on the volume of one pod")
        .place(session::place(cluster))
        .next(format!(
            "move it to Postgres, which starts empty: its data stays in the claim {}; let its outbox drain \
             first",
            database_claim_name(service)
        ))
        .next(format!(
            "msctl deploy {service} -n {namespace} --set \
             database.kind=postgres,database.postgres.secret=SECRET,replicas={most}"
        ))
}
