//! Deploying to a cluster: objects applied under a Lease, and a watch until they run or can't.

mod preview;

use std::cell::RefCell;

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
use crate::cluster::remove::{self, Removal};
use crate::cluster::wait::{Target, Wait};
use crate::cluster::watch::Watch;
use crate::cluster::{MANAGED_BY, failure, namespace, ownership};
use crate::commands::deploy::{ObjectReport, RolloutReport, ServiceReport};
use crate::commands::outcome::Outcome;
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
    started: Instant,
) -> Result<Outcome<ServiceReport>, Error> {
    let deploy = Deploy { cluster, printer, args, conflicts: conflicts(args), told, started };
    deploy.run(wanted).await
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
    /// When the command began.
    started: Instant,
}

/// What was done so far: all that is known of it when the rest is cut off.
#[derive(Default)]
struct Done {
    reports: Vec<ServiceReport>,
    /// The service whose turn it is.
    begun: Option<Begun>,
}

/// A service whose objects are being applied.
struct Begun {
    service: String,
    /// None for one that may be there: its request was not answered.
    objects: RefCell<Vec<(Reference, Option<Action>)>>,
    removal: Removal,
}

impl Begun {
    fn new(service: &str) -> Self {
        Self { service: service.to_owned(), objects: RefCell::default(), removal: Removal::default() }
    }

    fn existing(&self) -> Inventory {
        self.objects.borrow().iter().map(|(reference, _)| reference.clone()).collect()
    }

    fn report(self) -> ServiceReport {
        let Self { service, objects, removal } = self;
        let report = |reference: &Reference, action| ObjectReport { object: reference.to_string(), action };
        let mut applied = objects.into_inner();
        applied.sort_by_key(|(reference, _)| reference.rank());
        let applied = applied.iter().filter_map(|(reference, action)| Some(report(reference, (*action)?)));
        let removed = removal.removed.iter().map(|removed| report(&removed.reference, Action::Deleted));
        let kept = removal.kept.iter().map(|kept| report(kept, Action::Kept));
        ServiceReport { name: service, objects: applied.chain(removed).chain(kept).collect(), rollout: None }
    }
}

impl Deploy<'_> {
    async fn run(&self, wanted: &[Wanted]) -> Result<Outcome<ServiceReport>, Error> {
        let started = self.started;
        let mut interrupt = Interrupt::listen()?;
        let mut held = Held::new(self.cluster);
        let names: Vec<String> = wanted.iter().map(|wanted| wanted.service.clone()).collect();
        // Before anything is applied, so that no event is missed; its answers arrive while we apply.
        let mut watch = self.args.wait.wanted().then(|| Watch::start(self.cluster, &names));
        let mut done = Done::default();
        let action = action(wanted);
        let wait = Wait::new(self.cluster, self.printer, &action, self.args.wait.timeout, started);
        let work = Box::pin(self.all(&wait, wanted, &mut held, watch.as_mut(), &mut done));
        let mut outcome = interrupt.or(&action, work).await;
        drop(watch);
        self.printer.clear_live();
        if let Some(begun) = done.begun.take().map(Begun::report).filter(|begun| !begun.objects.is_empty()) {
            outcome = outcome.and((self.told)(&begun));
            done.reports.push(begun);
        }
        held.release(interrupt.insisted(), self.printer).await;
        let look = format!("msctl status -n {}", self.cluster.namespace);
        Ok(Outcome::of(done.reports, outcome).or_stays("what was applied stays applied, and its rollout goes on", look))
    }

    /// Leases, objects, deletions, rollout: in this order, and the Leases are held to the end.
    /// `done` has at any time what was done: this may be cut off.
    async fn all(
        &self,
        wait: &Wait<'_>,
        wanted: &[Wanted],
        held: &mut Held,
        watch: Option<&mut Watch>,
        done: &mut Done,
    ) -> Result<(), Error> {
        let befores = wait.in_time(Box::pin(self.take_leases(wait, wanted, held))).await?;
        let lost = held.lost();
        let mut lost = std::pin::pin!(lost);
        let mut targets = Vec::new();
        for ((wanted, manifests), before) in wanted.iter().zip(befores.manifests).zip(befores.inventories) {
            let begun = done.begun.insert(Begun::new(&wanted.service));
            let applying = Box::pin(unless_lost(&mut lost, self.apply(wait, wanted, manifests, &before, held, begun)));
            targets.extend(wait.in_time(applying).await?);
            // It is done, whether or not it can be told.
            done.reports.extend(done.begun.take().map(Begun::report));
            done.reports.last().into_iter().try_for_each(self.told)?;
        }
        let Some(watch) = watch else { return Ok(()) };
        let all = Box::pin(unless_lost(&mut lost, wait.until_done(watch, &targets))).await?;
        let milliseconds = wait.since.elapsed().as_millis();
        for (target, progress) in targets.iter().zip(all) {
            if let Some(report) = done.reports.iter_mut().find(|report| report.name == target.service) {
                let rollout = RolloutReport { ready: progress.ready, wanted: progress.wanted, milliseconds };
                report.rollout = Some(rollout);
            }
        }
        Ok(())
    }

    async fn take_leases(&self, wait: &Wait<'_>, wanted: &[Wanted], held: &mut Held) -> Result<Befores, Error> {
        let mut befores = Befores::default();
        for wanted in wanted {
            let manifests = objects(wanted, &self.cluster.namespace)?;
            let inventory: Inventory = manifests.iter().map(|(reference, _)| reference.clone()).collect();
            let service = &wanted.service;
            let before = match held.take(service, &inventory, |line| wait.tell(line)).await {
                Err(error) if is_missing_namespace(&error) => {
                    if !self.args.create_namespace {
                        return Err(namespace::missing(self.cluster, &format!("deploy {service}"), true).await);
                    }
                    namespace::create(self.cluster).await?;
                    self.printer.note(&format!("namespace/{} created", self.cluster.namespace));
                    held.take(service, &inventory, |line| wait.tell(line)).await
                }
                outcome => outcome,
            };
            wait.goes_on();
            befores.inventories.push(before.map_err(|error| error.explain(self.cluster))?);
            befores.manifests.push(manifests);
        }
        Ok(befores)
    }

    /// What is to be waited for.
    async fn apply(
        &self,
        wait: &Wait<'_>,
        wanted: &Wanted,
        manifests: Vec<(Reference, serde_json::Value)>,
        before: &Inventory,
        held: &mut Held,
        begun: &mut Begun,
    ) -> Result<Option<Target>, Error> {
        let live = apply::read(self.cluster, &manifests, |line| wait.tell(line)).await?;
        wait.goes_on();
        let wanted_objects: Inventory = manifests.iter().map(|(reference, _)| reference.clone()).collect();
        // Until the work is done, anything of both may exist.
        held.settle(&wanted.service, before.union(&wanted_objects));
        // What no inventory names: somebody has deleted the Lease, or has applied what a dry run printed.
        let ours = live.iter().filter(|(_, object)| ownership::is_ours(&object.metadata));
        let before = &before.union(&ours.map(|(reference, _)| reference.clone()).collect());
        let plan = Plan::new(manifests, live, before, wanted.asked);
        let mode = Mode { conflicts: self.conflicts, effect: Effect::Persist };
        let note = |reference: &Reference, action| begun.objects.borrow_mut().push((reference.clone(), action));
        let applied = match apply::apply(self.cluster, &plan, mode, note).await {
            Ok(applied) => applied,
            Err(error) => {
                held.settle(&wanted.service, before.union(&begun.existing()));
                return Err(error);
            }
        };
        let removed = remove::delete(self.cluster, &plan.prune, &mut begun.removal).await;
        begun.removal.tell(self.cluster, self.printer);
        removed?;
        held.settle(&wanted.service, applied.iter().map(|applied| applied.reference.clone()).collect());
        let workload = applied.iter().find(|applied| applied.reference.is_deployment());
        Ok(workload.map(|applied| Target {
            service: wanted.service.clone(),
            goal: Goal::Rollout { generation: applied.object.metadata.generation.unwrap_or_default() },
        }))
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
