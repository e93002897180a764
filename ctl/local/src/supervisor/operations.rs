//! What can be done with services that are up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::OwnedMutexGuard;

use super::{Supervisor, ports};
use crate::balance::Balancer;
use crate::error::{Error, Kind};
use crate::names::{JAEGER, Route};
use crate::service::{Service, Stop, Successor, Takes};
use crate::{Action, Applied, Deleted, Event, Events, Scaled, ServiceSpec};

/// More replicas of one service than this are a slip of the hand: each is a process of this machine.
const MOST: u32 = 100;

/// What is wrong with specs whatever runs.
pub(super) fn check(specs: &[ServiceSpec]) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let mut ports = BTreeMap::new();
    for spec in specs {
        let name = &spec.name;
        let wrong = |why: String| Err(Error::new(Kind::Usage, format!("cannot deploy {name}")).why(why));
        if !names.insert(name) {
            return wrong("it is named twice".to_owned());
        }
        if let Some(other) = ports.insert(spec.port, name) {
            return wrong(format!("{other} has its port {} too", spec.port));
        }
        if name == JAEGER {
            let error = Error::new(Kind::Usage, format!("cannot deploy {name}"));
            return Err(error
                .why("the name is that of the receiver of traces that `msctl up` runs itself")
                .next("give the service another name")
                .next("to use a Jaeger of your own: set OTEL_EXPORTER_OTLP_ENDPOINT and MSCTL_JAEGER for `msctl up`"));
        }
        if spec.argv.is_empty() {
            return wrong("it has no command".to_owned());
        }
        if spec.port == 0 {
            return wrong("it has no port".to_owned());
        }
        limit(name, spec.replicas)?;
    }
    Ok(())
}

fn limit(name: &str, replicas: u32) -> Result<(), Error> {
    if replicas <= MOST {
        return Ok(());
    }
    let error = Error::new(Kind::Usage, format!("cannot run {replicas} replicas of {name}"));
    Err(error.why(format!("local mode runs at most {MOST} processes of one service")))
}

/// All of them side by side. `events`: of who asked, unless that is the supervisor's own listener.
pub(super) async fn apply(
    supervisor: &Supervisor,
    specs: Vec<ServiceSpec>,
    events: Option<Events>,
) -> Result<Vec<Applied>, Error> {
    let operations = specs.into_iter().map(|spec| {
        let (supervisor, events) = (supervisor.clone(), events.clone());
        async move {
            let turn = turn(&supervisor, &spec.name, Some(Takes::Deploys), events.as_ref()).await?;
            detached(turn, async move { apply_one(&supervisor, spec, events).await }).await
        }
    });
    all(join_all(operations).await)
}

/// One outcome of several: the first error, and what else failed.
pub(super) fn all(outcomes: Vec<Result<Applied, Error>>) -> Result<Vec<Applied>, Error> {
    let mut applied = Vec::new();
    let mut failed: Option<Error> = None;
    for outcome in outcomes {
        match (outcome, &mut failed) {
            (Ok(one), _) => applied.push(one),
            (Err(error), Some(first)) => first.why.push(error.to_string()),
            (Err(error), failed) => *failed = Some(error),
        }
    }
    failed.map_or(Ok(applied), Err)
}

async fn apply_one(supervisor: &Supervisor, spec: ServiceSpec, events: Option<Events>) -> Result<Applied, Error> {
    let (name, wanted) = (spec.name.clone(), spec.replicas);
    let (action, service) = match supervisor.service(&name) {
        Err(_) => {
            let balancer = listen(supervisor, &spec).await?;
            let service = create(supervisor, spec, balancer, events).await?;
            (Action::Created, service)
        }
        Ok(service) => (configure(supervisor, &service, spec, events).await?, service),
    };
    Ok(Applied { name, action, ready: service.ready(), wanted })
}

/// A service that fails is gone again.
pub(super) async fn create(
    supervisor: &Supervisor,
    spec: ServiceSpec,
    balancer: Balancer,
    events: Option<Events>,
) -> Result<Arc<Service>, Error> {
    // With the balancer, so that a service without replicas is said to have none.
    let route = Route::from(&balancer);
    let service = Service::new(supervisor.inner.context.clone(), spec, balancer);
    supervisor.insert(service.clone());
    supervisor.inner.context.net.names.service(&service.name, route);
    if let Err(error) = service.create(events).await {
        service.end(Stop::Now, None).await;
        supervisor.remove(&service.name);
        return Err(error);
    }
    Ok(service)
}

async fn configure(
    supervisor: &Supervisor,
    service: &Arc<Service>,
    spec: ServiceSpec,
    events: Option<Events>,
) -> Result<Action, Error> {
    let now = service.spec();
    if service.is_as(&spec) {
        service.settle(events).await?;
        return Ok(Action::Unchanged);
    }
    let moved = if now.port == spec.port { None } else { Some(listen(supervisor, &spec).await?) };
    let route = moved.as_ref().map(Route::from);
    service.update(spec, moved, events).await?;
    if let Some(route) = route {
        supervisor.inner.context.net.names.service(&service.name, route);
    }
    Ok(Action::Configured)
}

/// Another service's port is said to be that one's, not that of this process.
async fn listen(supervisor: &Supervisor, spec: &ServiceSpec) -> Result<Balancer, Error> {
    if let Some(other) = supervisor.services().iter().find(|other| other.spec().port == spec.port) {
        let error = Error::new(Kind::Conflict, format!("cannot listen on port {} for {}", spec.port, spec.name));
        return Err(error.why(format!("it is {}'s", other.name)));
    }
    let replicas: Vec<(u32, String)> = supervisor
        .status()
        .into_iter()
        .flat_map(|service| service.replicas)
        .filter_map(|replica| Some((replica.pid?, replica.name)))
        .collect();
    let mut balancers = ports::bind(std::slice::from_ref(spec), &replicas).await?;
    balancers
        .pop()
        .ok_or_else(|| Error::failed(format!("cannot listen for {}", spec.name)).why("no address was made for it"))
}

pub(super) async fn scale(supervisor: &Supervisor, name: &str, replicas: u32, events: Events) -> Result<Scaled, Error> {
    limit(name, replicas)?;
    let turn = turn(supervisor, name, None, Some(&events)).await?;
    let (supervisor, name) = (supervisor.clone(), name.to_owned());
    detached(turn, async move {
        let (before, ready) = supervisor.service(&name)?.scale(replicas, Some(events)).await?;
        Ok(Scaled { before, replicas, ready })
    })
    .await
}

pub(super) async fn delete(supervisor: &Supervisor, name: &str, events: Events) -> Result<Deleted, Error> {
    let service = supervisor.service(name)?;
    let turn = turn(supervisor, name, Some(Takes::All), Some(&events)).await?;
    let (supervisor, name) = (supervisor.clone(), name.to_owned());
    detached(turn, async move {
        // One that was given up while it was waited for is gone already.
        let replicas = supervisor.service(&name).unwrap_or(service).delete(events).await;
        supervisor.remove(&name);
        Ok(Deleted { name, replicas })
    })
    .await
}

/// The right to change a service. An operation that waits for it goes when whoever asked for it does.
async fn turn(
    supervisor: &Supervisor,
    name: &str,
    takes: Option<Takes>,
    events: Option<&Events>,
) -> Result<OwnedMutexGuard<()>, Error> {
    let held = supervisor.turn(name);
    if let Ok(held) = held.clone().try_lock_owned() {
        return Ok(held);
    }
    let left = async {
        match events {
            Some(events) => {
                let _ = events.try_send(Event::Queued { service: name.to_owned() });
                events.closed().await;
            }
            None => std::future::pending().await,
        }
    };
    let _successor = takes.and_then(|takes| Some(Successor::of(supervisor.service(name).ok()?, takes)));
    tokio::select! {
        biased;
        held = held.lock_owned() => Ok(held),
        () = left => Err(Error::new(Kind::Stopped, format!("{name} is not changed")).why("nobody waits for it any more")),
    }
}

/// Goes on when whoever waits for it goes away: half a change is worse than a whole one.
async fn detached<T: Send + 'static>(
    turn: OwnedMutexGuard<()>,
    operation: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let operation = async move {
        let outcome = operation.await;
        drop(turn);
        outcome
    };
    match tokio::spawn(operation).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::failed("the operation broke off").why(error)),
    }
}
