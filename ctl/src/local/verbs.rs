//! What the verbs do on this machine.

use std::cell::Cell;

use ::local::logs::Options;
use ::local::{Applied, Kind, ServiceState, ServiceStatus};
use futures::StreamExt as _;
use tokio::time::Instant;

use super::Local;
use super::operation::Operation;
use crate::cli::WaitArgs;
use crate::cli::delete::DeleteArgs;
use crate::cli::deploy::{DeployArgs, DryRun};
use crate::cli::distinct;
use crate::cli::logs::LogsArgs;
use crate::cli::scale::ScaleArgs;
use crate::cli::status::StatusArgs;
use crate::commands::delete::Deleted;
use crate::commands::deploy::{Action, ObjectReport, Preview, RolloutReport, ServiceReport};
use crate::commands::logs::{Entries, Entry, LogLine};
use crate::commands::outcome::Outcome;
use crate::commands::scale::{Now, Scaled};
use crate::commands::status::{PodSummary, Reason, State, Summary};
use crate::error::Error;
use crate::output::Printer;
use crate::platform::Told;
use crate::wanted::Wanted;

impl Local {
    /// The specs that the supervisor would be given.
    pub(crate) fn preview(&self, wanted: &[Wanted], dry_run: DryRun) -> Result<Preview, Error> {
        if dry_run == DryRun::Server {
            return Err(Error::usage("--dry-run=server has no meaning on this machine")
                .why("there is no API server that could check anything")
                .next("--dry-run=client shows what would run"));
        }
        let specs = self.specs(wanted)?;
        let services = specs.iter().map(|spec| service(&spec.name, Action::Rendered)).collect();
        let manifests = specs.iter().map(|spec| serde_json::to_value(spec).unwrap_or_default()).collect();
        Ok(Preview { dry_run, services, manifests })
    }

    /// Replaces replicas one by one where something changed.
    pub(crate) async fn deploy(
        &self,
        wanted: &[Wanted],
        args: &DeployArgs,
        printer: &Printer,
        told: Told<'_>,
    ) -> Result<Outcome<ServiceReport>, Error> {
        let started = Instant::now();
        let mut specs = self.specs(wanted)?;
        Self::tell_unused(wanted, printer);
        let (client, now) = self.services().await?;
        for (spec, wanted) in specs.iter_mut().zip(wanted) {
            let running = now.iter().find(|service| service.name == spec.name);
            // What was set last stays, as in a cluster.
            if let Some(running) = running.filter(|_| !wanted.asked.replicas) {
                spec.replicas = running.wanted;
            }
        }
        let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
        let operation = operation(format!("deploy {}", names.join(", ")), args.wait, printer);
        let Some(applied) = operation.run(async |events| client.apply(specs, events).await).await? else {
            return Ok(Outcome::of(Vec::new(), Ok(())));
        };
        let milliseconds = started.elapsed().as_millis();
        let services: Vec<ServiceReport> = applied.iter().map(|applied| report(applied, milliseconds)).collect();
        let told = services.iter().try_for_each(told);
        Ok(Outcome::of(services, told))
    }

    pub(crate) async fn scale(&self, args: &ScaleArgs, printer: &Printer) -> Result<Outcome<Scaled>, Error> {
        let Some(replicas) = args.replicas else {
            return Err(Error::usage("--min and --max have no meaning on this machine")
                .why("there is no autoscaler")
                .next(format!("msctl scale {} --replicas N", args.services.join(" "))));
        };
        let client = self.client()?;
        let names = distinct(&args.services);
        self.look(&names, "scale").await?;
        let mut scaled = Vec::new();
        for name in names {
            let started = Instant::now();
            let count = u32::try_from(replicas).unwrap_or_default();
            let work = async |events| client.scale(&name, count, events).await;
            let outcome = match operation(format!("scale {name}"), args.wait, printer).run(work).await {
                Err(error) => {
                    let error = self.explain(error, &format!("scale {name}"), &name).await;
                    return Ok(Outcome::of(scaled, Err(error)));
                }
                Ok(outcome) => outcome,
            };
            scaled.push(Scaled {
                object: object(&name),
                namespace: self.project().name.clone(),
                before: outcome.as_ref().map_or(replicas, |outcome| number(outcome.before)),
                now: Now::Replicas { replicas },
                ready: outcome.map(|outcome| number(outcome.ready)),
                milliseconds: started.elapsed().as_millis(),
                name,
            });
        }
        Ok(Outcome::of(scaled, Ok(())))
    }

    pub(crate) async fn status(&self, args: &StatusArgs) -> Result<Vec<Summary>, Error> {
        if let Some(selector) = &args.selector {
            return Err(Error::usage(format!("--selector {selector} has no meaning on this machine"))
                .why("services have no labels here")
                .next("msctl status SERVICE --local"));
        }
        let (_, services) = self.services().await?;
        for name in &args.services {
            if !services.iter().any(|service| service.name == *name) {
                return Err(self.unknown(&format!("show {name}"), name, &services));
            }
        }
        let wanted = |service: &&ServiceStatus| args.services.is_empty() || args.services.contains(&service.name);
        Ok(services.iter().filter(wanted).map(|service| summary(&self.project().name, service)).collect())
    }

    pub(crate) async fn delete(&self, args: &DeleteArgs, printer: &Printer) -> Result<Outcome<Deleted>, Error> {
        let client = self.client()?;
        let names = distinct(&args.services);
        if !args.ignore_not_found {
            self.look(&names, "delete").await?;
        }
        let mut deleted = Vec::new();
        for name in names {
            let missing = Cell::new(false);
            let work = async |events| {
                let outcome = client.delete(&name, events).await;
                missing.set(outcome.as_ref().is_err_and(|error| error.kind == Kind::NotFound));
                outcome
            };
            match operation(format!("delete {name}"), args.wait, printer).run(work).await {
                Err(_) if missing.get() && args.ignore_not_found => continue,
                Err(error) if !missing.get() => return Ok(Outcome::of(deleted, Err(error))),
                Err(error) => {
                    let error = self.explain(error, &format!("delete {name}"), &name).await;
                    return Ok(Outcome::of(deleted, Err(error)));
                }
                Ok(_) => {}
            }
            let (namespace, objects) = (self.project().name.clone(), vec![object(&name)]);
            deleted.push(Deleted { name, namespace, objects, kept: Vec::new() });
        }
        Ok(Outcome::of(deleted, Ok(())))
    }

    pub(crate) async fn logs(&self, args: &LogsArgs) -> Result<Entries, Error> {
        let (client, services) = self.services().await?;
        for name in &args.services {
            // One that was deleted has its logs until `down`.
            if !services.iter().any(|service| service.name == *name) && !self.project().services.contains_key(name) {
                return Err(self.unknown(&format!("show the logs of {name}"), name, &services));
            }
        }
        let since_ms = args.since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let tail = args.tail.map(|tail| usize::try_from(tail).unwrap_or(usize::MAX));
        let lines = client.logs(args.services.clone(), &Options { follow: args.follow, tail, since_ms });
        let entries = lines.map(|line| match line {
            Ok(line) => Ok(Entry::Line(LogLine {
                time: Some(line.time),
                service: line.service,
                pod: line.replica,
                container: None,
                line: line.line,
            })),
            Err(cause) => Err(Error::from(cause)),
        });
        Ok(entries.fuse().boxed())
    }

    /// Of several services all have to be there before one is changed; of one, the supervisor says.
    async fn look(&self, names: &[String], verb: &str) -> Result<(), Error> {
        if names.len() < 2 {
            return Ok(());
        }
        let (_, services) = self.services().await?;
        match names.iter().find(|name| !services.iter().any(|service| service.name == **name)) {
            Some(missing) => Err(self.unknown(&format!("{verb} {missing}"), missing, &services)),
            None => Ok(()),
        }
    }

    /// An error about a service that is not there says which are.
    async fn explain(&self, error: Error, action: &str, name: &str) -> Error {
        match self.services().await {
            Ok((_, services)) if !services.iter().any(|service| service.name == name) => {
                self.unknown(action, name, &services)
            }
            _ => error,
        }
    }
}

fn operation(action: String, wait: WaitArgs, printer: &Printer) -> Operation<'_> {
    Operation { action, timeout: wait.timeout, only_begin: !wait.wanted(), printer }
}

/// As the objects of a cluster are written.
fn object(service: &str) -> String {
    format!("process/{service}")
}

fn service(name: &str, action: Action) -> ServiceReport {
    let objects = vec![ObjectReport { object: object(name), action }];
    ServiceReport { name: name.to_owned(), objects, rollout: None }
}

fn report(applied: &Applied, milliseconds: u128) -> ServiceReport {
    let action = match applied.action {
        ::local::Action::Created => Action::Created,
        ::local::Action::Configured => Action::Configured,
        ::local::Action::Unchanged => Action::Unchanged,
    };
    let rollout = RolloutReport { ready: number(applied.ready), wanted: number(applied.wanted), milliseconds };
    ServiceReport { rollout: Some(rollout), ..service(&applied.name, action) }
}

/// A service, as a cluster's is shown.
fn summary(namespace: &str, service: &ServiceStatus) -> Summary {
    let reason =
        |reason: &::local::Reason| Reason { subject: reason.subject.clone(), kind: None, text: reason.text.clone() };
    let pod = |replica: &::local::ReplicaStatus| PodSummary {
        name: replica.name.clone(),
        node: None,
        ready: replica.ready,
        restarts: number(replica.restarts),
    };
    Summary {
        object: object(&service.name),
        namespace: namespace.to_owned(),
        name: service.name.clone(),
        state: match service.state {
            ServiceState::Ready => State::Ready,
            ServiceState::Stopped => State::Stopped,
            ServiceState::Progressing => State::Progressing,
            ServiceState::Failing => State::Failing,
        },
        ready: number(service.ready),
        wanted: number(service.wanted),
        updated: number(service.ready),
        created: Some(service.since.to_string()),
        version: Some(service.version.clone()),
        image: service.argv.join(" "),
        managed_by: Some("msctl".to_owned()),
        autoscaler: None,
        reasons: service.reasons.iter().map(reason).collect(),
        pods: service.replicas.iter().map(pod).collect(),
    }
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_service_is_shown_as_a_clusters_is() {
        let status: ServiceStatus = serde_json::from_value(json!({
            "name": "orders", "state": "failing", "ready": 1, "wanted": 2, "port": 8080, "version": "1.4.2",
            "argv": ["/bin/orders", "-v"], "since": "2026-01-01T00:00:00Z",
            "reasons": [{ "subject": "orders-2-x", "text": "exit code 1" }],
            "replicas": [{ "name": "orders-1-x", "pid": 7, "port": 20001, "adminPort": null, "ready": true,
                           "restarts": 3, "since": "2026-01-01T00:00:00Z", "state": "ready" }],
        }))
        .unwrap();
        let shown: Value = serde_json::to_value(summary("shop", &status)).unwrap();
        let pods = json!([{ "name": "orders-1-x", "node": null, "ready": true, "restarts": 3 }]);
        assert_eq!((&shown["namespace"], &shown["state"], &shown["pods"]), (&json!("shop"), &json!("failing"), &pods));
        assert_eq!(
            (&shown["ready"], &shown["wanted"], &shown["image"]),
            (&json!(1), &json!(2), &json!("/bin/orders -v"))
        );
        assert_eq!(shown["reasons"], json!([{ "subject": "orders-2-x", "kind": null, "text": "exit code 1" }]));
    }

    #[test]
    fn what_a_deploy_did_is_told_as_of_objects() {
        let applied = Applied { name: "orders".into(), action: ::local::Action::Configured, ready: 2, wanted: 2 };
        let report: Value = serde_json::to_value(report(&applied, 1500)).unwrap();
        assert_eq!(report["objects"], json!([{ "object": "process/orders", "action": "configured" }]));
        assert_eq!(report["rollout"], json!({ "ready": 2, "wanted": 2, "milliseconds": 1500 }));
    }
}
