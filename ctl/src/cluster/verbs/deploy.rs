//! Deploying to a cluster: objects applied under a Lease, and a watch until they run or can't.

mod preview;

use manifests::Release;
use reach::Cluster;
use serde_json::Value;
use tokio::time::Instant;

use crate::cli::deploy::DeployArgs;
use crate::cluster::apply::{self, Conflicts, Effect, Mode};
use crate::cluster::held::{Held, unless_lost};
use crate::cluster::inventory::Inventory;
use crate::cluster::kinds::Reference;
use crate::cluster::lock::LockError;
use crate::cluster::plan::{Action, Plan};
use crate::cluster::progress::Goal;
use crate::cluster::wait::{Target, Wait};
use crate::cluster::watch::Watch;
use crate::cluster::{MANAGED_BY, failure, namespace, remove};
use crate::commands::deploy::{ObjectReport, Report, RolloutReport, ServiceReport};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::platform::Told;
use crate::wanted::Wanted;
pub(crate) use preview::preview;

/// Applies what is wanted and waits for it, unless that is not wanted.
pub(crate) async fn deploy(
    cluster: &Cluster,
    wanted: &[Wanted],
    args: &DeployArgs,
    printer: &Printer,
    told: Told<'_>,
) -> Result<Report, Error> {
    let deploy = Deploy { cluster, printer, args, conflicts: conflicts(args), told };
    Ok(Report::new(&cluster.namespace, deploy.run(wanted).await?))
}

fn conflicts(args: &DeployArgs) -> Conflicts {
    if args.force_conflicts { Conflicts::Force } else { Conflicts::Refuse }
}

/// A service's objects in a namespace, in the order of applying.
pub(crate) fn objects(wanted: &Wanted, namespace: &str) -> Result<Vec<(Reference, Value)>, Error> {
    let service = &wanted.service;
    let release = Release { name: service, instance: service, namespace, managed_by: MANAGED_BY };
    let failed = |why: String| Error::usage(format!("cannot deploy {service}")).why(why);
    let objects = manifests::objects(&release, &wanted.values).map_err(|cause| failed(cause.to_string()))?;
    let with_reference = |manifest: Value| match Reference::of(&manifest) {
        Ok(reference) => Ok((reference, manifest)),
        Err(cause) => Err(failed(cause.to_string())),
    };
    objects.iter().map(|object| with_reference(object.to_json())).collect()
}

/// A deploy that happens.
struct Deploy<'a> {
    cluster: &'a Cluster,
    printer: &'a Printer,
    args: &'a DeployArgs,
    conflicts: Conflicts,
    told: Told<'a>,
}

/// A service whose objects are applied.
struct Deployed {
    report: ServiceReport,
    target: Option<Target>,
}

impl Deploy<'_> {
    async fn run(&self, wanted: &[Wanted]) -> Result<Vec<ServiceReport>, Error> {
        let started = Instant::now();
        let mut interrupt = Interrupt::listen()?;
        let mut held = Held::new(self.cluster);
        let names: Vec<String> = wanted.iter().map(|wanted| wanted.service.clone()).collect();
        // Before anything is applied, so that no event is missed; its answers arrive while we apply.
        let mut watch = self.args.wait.wanted().then(|| Watch::start(self.cluster, &names));
        let outcome = self.all(wanted, &mut held, &mut interrupt, watch.as_mut(), started).await;
        drop(watch);
        self.printer.clear_live();
        held.release(interrupt.signalled(), self.printer).await;
        outcome
    }

    /// Leases, objects, deletions, rollout: in this order, and the Leases are held to the end.
    async fn all(
        &self,
        wanted: &[Wanted],
        held: &mut Held,
        interrupt: &mut Interrupt,
        watch: Option<&mut Watch>,
        started: Instant,
    ) -> Result<Vec<ServiceReport>, Error> {
        let action = action(wanted);
        let wait = self.wait(&action, started);
        let taking = Box::pin(self.take_leases(wanted, held));
        let befores = interrupt.or(&action, wait.in_time(taking)).await?;
        let lost = held.lost();
        let mut lost = std::pin::pin!(lost);
        let look = format!("msctl status -n {}", self.cluster.namespace);
        let mut deployed = Vec::new();
        for ((wanted, manifests), before) in wanted.iter().zip(befores.manifests).zip(befores.inventories) {
            let applying = Box::pin(unless_lost(&mut lost, self.apply(wanted, manifests, &before, held)));
            let done = interrupt.or_look(&action, &look, wait.in_time(applying)).await?;
            (self.told)(&done.report)?;
            deployed.push(done);
        }
        let Some(watch) = watch else {
            return Ok(deployed.into_iter().map(|deployed| deployed.report).collect());
        };
        let targets: Vec<Target> = deployed.iter().filter_map(|deployed| deployed.target.clone()).collect();
        let rollout = Box::pin(unless_lost(&mut lost, wait.until_done(watch, &targets)));
        let what = format!("{action}; its objects are applied, and the rollout goes on");
        let done = interrupt.or_look(&what, &look, rollout).await?;
        let milliseconds = started.elapsed().as_millis();
        let mut reports: Vec<ServiceReport> = deployed.into_iter().map(|deployed| deployed.report).collect();
        for (target, progress) in targets.iter().zip(done) {
            if let Some(report) = reports.iter_mut().find(|report| report.name == target.service) {
                let rollout = RolloutReport { ready: progress.ready, wanted: progress.wanted, milliseconds };
                report.rollout = Some(rollout);
            }
        }
        Ok(reports)
    }

    fn wait(&self, action: &str, since: Instant) -> Wait<'_> {
        let (cluster, printer, timeout) = (self.cluster, self.printer, self.args.wait.timeout);
        Wait { cluster, printer, action: action.to_owned(), timeout, since }
    }

    async fn take_leases(&self, wanted: &[Wanted], held: &mut Held) -> Result<Befores, Error> {
        let mut befores = Befores::default();
        for wanted in wanted {
            let manifests = objects(wanted, &self.cluster.namespace)?;
            let inventory: Inventory = manifests.iter().map(|(reference, _)| reference.clone()).collect();
            let service = &wanted.service;
            let before = match held.take(service, &inventory, self.printer).await {
                Err(error) if is_missing_namespace(&error) => {
                    if !self.args.create_namespace {
                        return Err(namespace::missing(self.cluster, &format!("deploy {service}"), true).await);
                    }
                    namespace::create(self.cluster).await?;
                    self.printer.note(&format!("namespace/{} created", self.cluster.namespace));
                    held.take(service, &inventory, self.printer).await
                }
                outcome => outcome,
            };
            befores.inventories.push(before.map_err(|error| error.explain(self.cluster))?);
            befores.manifests.push(manifests);
        }
        Ok(befores)
    }

    async fn apply(
        &self,
        wanted: &Wanted,
        manifests: Vec<(Reference, serde_json::Value)>,
        before: &Inventory,
        held: &mut Held,
    ) -> Result<Deployed, Error> {
        let waiting = |line| self.printer.live(vec![line]);
        let live = apply::read(self.cluster, &manifests, waiting).await?;
        self.printer.clear_live();
        let wanted_objects: Inventory = manifests.iter().map(|(reference, _)| reference.clone()).collect();
        // Until the work is done, anything of both may exist.
        held.settle(&wanted.service, before.union(&wanted_objects));
        let plan = Plan::new(manifests, live, before, wanted.asked);
        let mode = Mode { conflicts: self.conflicts, effect: Effect::Persist };
        let finished = std::sync::Mutex::new(Vec::new());
        let note = |reference: &Reference| lock(&finished).push(reference.clone());
        let applied = match apply::apply(self.cluster, &plan, mode, note).await {
            Ok(applied) => applied,
            Err(error) => {
                let existing: Inventory = std::mem::take(&mut *lock(&finished)).into_iter().collect();
                held.settle(&wanted.service, before.union(&existing));
                return Err(error);
            }
        };
        let removal = remove::delete(self.cluster, &plan.prune).await;
        removal.tell(self.cluster, self.printer);
        if let Some(error) = removal.failed {
            return Err(error);
        }
        held.settle(&wanted.service, applied.iter().map(|applied| applied.reference.clone()).collect());
        let workload = applied.iter().find(|applied| applied.reference.is_deployment());
        let target = workload.map(|applied| Target {
            service: wanted.service.clone(),
            goal: Goal::Rollout { generation: applied.object.metadata.generation.unwrap_or_default() },
        });
        let mut objects: Vec<ObjectReport> = applied
            .iter()
            .map(|applied| ObjectReport { object: applied.reference.to_string(), action: applied.action })
            .collect();
        let report = |reference: &Reference, action| ObjectReport { object: reference.to_string(), action };
        objects.extend(removal.removed.iter().map(|removed| report(&removed.reference, Action::Deleted)));
        objects.extend(removal.kept.iter().map(|kept| report(kept, Action::Kept)));
        let report = ServiceReport { name: wanted.service.clone(), objects, rollout: None };
        Ok(Deployed { report, target })
    }
}

fn action(wanted: &[Wanted]) -> String {
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.service.as_str()).collect();
    format!("deploy {}", names.join(", "))
}

/// What was found when the Leases were taken, service by service.
#[derive(Default)]
struct Befores {
    inventories: Vec<Inventory>,
    manifests: Vec<Vec<(Reference, serde_json::Value)>>,
}

fn is_missing_namespace(error: &LockError) -> bool {
    matches!(error, LockError::Api { cause: kube::Error::Api(status), .. }
        if failure::missing_namespace(status).is_some())
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
