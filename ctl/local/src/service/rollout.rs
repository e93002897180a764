//! Changes to a service. One at a time, which the caller sees to; one that fails leaves what was there before.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::time::timeout;

use super::replica::{Replica, Snapshot, Stop};
use super::{Operation, Service, life};
use crate::balance::Balancer;
use crate::error::{Error, Kind};
use crate::event::{Event, Span};
use crate::status::{Reason, ReplicaState};
use crate::{Events, ServiceSpec};

/// Ends in a row before it was ready after which a new replica is given up: a service may need another one that starts
/// at the same moment, and nobody wants to wait for one that can't work.
const TRIES: u32 = 3;

impl Service {
    /// Starts the replicas that are wanted; for a service that has none yet.
    pub(crate) async fn create(self: &Arc<Self>, events: Option<Events>) -> Result<(), Error> {
        let _operation = self.operation(events, false);
        let (spec, wanted) = self.target();
        let grown = self.grow(&spec, wanted).await;
        self.outcome(grown)
    }

    /// Makes it run as told, one replica at a time. `moved`: the balancer of its new port.
    pub(crate) async fn update(
        self: &Arc<Self>,
        spec: ServiceSpec,
        moved: Option<Balancer>,
        events: Option<Events>,
    ) -> Result<(), Error> {
        let _operation = self.operation(events, true);
        let spec = Arc::new(spec);
        self.inner().balancers.extend(moved);
        self.balance();
        let replaced = self.replace(&spec).await;
        // One address again: the new one, or the old one. There is none when everything was stopped meanwhile.
        let left = {
            let mut inner = self.inner();
            let mut balancers = std::mem::take(&mut inner.balancers);
            if replaced.is_ok() {
                inner.spec = spec;
                balancers.reverse();
            }
            let left = balancers.split_off(balancers.len().min(1));
            inner.balancers = balancers;
            left
        };
        join_all(left.into_iter().map(Balancer::close)).await;
        self.outcome(replaced)
    }

    /// Waits until the replicas that are there are ready, or can't be. Nothing is undone: nothing was changed.
    pub(crate) async fn settle(self: &Arc<Self>, events: Option<Events>) -> Result<(), Error> {
        let _operation = self.operation(events, true);
        self.all_ready().await
    }

    /// The number of replicas before, and those that are ready now.
    pub(crate) async fn scale(self: &Arc<Self>, wanted: u32, events: Option<Events>) -> Result<(u32, u32), Error> {
        let _operation = self.operation(events, false);
        let (spec, before) = self.target();
        self.inner().wanted = wanted;
        let scaled = if wanted < before { self.shrink(wanted).await } else { self.grow(&spec, wanted).await };
        if scaled.is_err() {
            self.inner().wanted = before;
        }
        self.outcome(scaled)?;
        // Those that were there before, too.
        self.all_ready().await?;
        Ok((before, self.ready()))
    }

    fn target(&self) -> (Arc<ServiceSpec>, u32) {
        let inner = self.inner();
        (inner.spec.clone(), inner.wanted)
    }

    async fn replace(self: &Arc<Self>, spec: &Arc<ServiceSpec>) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.inner().wanted, spec.replicas);
        let done = self.replace_each(spec).await;
        if done.is_err() {
            self.inner().wanted = before;
        }
        done
    }

    async fn replace_each(self: &Arc<Self>, spec: &Arc<ServiceSpec>) -> Result<(), Error> {
        self.shrink(spec.replicas).await?;
        let mut old = self.inner().replicas.clone();
        old.retain(|replica| !replica.spec.runs_as(spec));
        old.sort_by_key(|replica| replica.ordinal);
        let mut drains = Vec::new();
        let mut done = Ok(());
        for replica in old {
            done = self.start_all(spec, &[replica.ordinal]).await;
            if done.is_err() {
                break;
            }
            // Its connections may take their time while the next one starts.
            let service = self.clone();
            drains.push(tokio::spawn(async move { service.stop(&replica, Stop::Drain).await }));
        }
        if done.is_ok() {
            done = self.grow(spec, spec.replicas).await;
        }
        join_all(drains).await;
        done
    }

    /// Up to `wanted` replicas, all at once; none of the new ones stays when one of them fails.
    async fn grow(self: &Arc<Self>, spec: &Arc<ServiceSpec>, wanted: u32) -> Result<(), Error> {
        let mut ordinals: Vec<u32> = self.inner().replicas.iter().map(|replica| replica.ordinal).collect();
        let missing = (wanted as usize).saturating_sub(ordinals.len());
        ordinals.sort_unstable();
        let free: Vec<u32> = (1..).filter(|ordinal| ordinals.binary_search(ordinal).is_err()).take(missing).collect();
        self.start_all(spec, &free).await
    }

    /// Down to `wanted` replicas: those that are not ready first, then the last ones.
    async fn shrink(&self, wanted: u32) -> Result<(), Error> {
        let mut replicas = self.inner().replicas.clone();
        replicas.sort_by_key(|replica| (!replica.is_ready(), replica.ordinal));
        // Of those that are not ready, the last ones go first too.
        let surplus = replicas.len().saturating_sub(wanted as usize);
        join_all(replicas.iter().rev().take(surplus).map(|replica| self.stop(replica, Stop::Drain))).await;
        Ok(())
    }

    async fn start_all(self: &Arc<Self>, spec: &Arc<ServiceSpec>, ordinals: &[u32]) -> Result<(), Error> {
        let new: Vec<Arc<Replica>> = ordinals.iter().map(|ordinal| Replica::new(spec.clone(), *ordinal)).collect();
        self.inner().replicas.extend(new.iter().cloned());
        for replica in &new {
            tokio::spawn(life::run(self.clone(), replica.clone()));
        }
        let ready = try_join_all(new.iter().map(|replica| self.wait_ready(replica))).await;
        if let Err(error) = ready {
            join_all(new.iter().map(|replica| self.stop(replica, Stop::Now))).await;
            return Err(match self.ready() {
                0 => error,
                1 => error.why("1 replica that was there before still answers"),
                others => error.why(format!("{others} replicas that were there before still answer")),
            });
        }
        // Whoever is told now finds them behind the address.
        self.balance();
        Ok(())
    }

    async fn all_ready(&self) -> Result<(), Error> {
        let replicas = self.inner().replicas.clone();
        for replica in replicas.iter().filter(|replica| !replica.is_ready()) {
            self.tell(&Event::Waiting { replica: replica.name.clone(), why: replica.why() });
        }
        try_join_all(replicas.iter().map(|replica| self.wait_ready(replica))).await.map(drop)
    }

    async fn wait_ready(&self, replica: &Arc<Replica>) -> Result<(), Error> {
        // The startup probe's budget, and as much for becoming ready then; a crash or two included.
        let patience = replica.spec.startup.budget().saturating_mul(2).max(Duration::from_secs(1));
        let (mut state, mut successors) = (replica.state.subscribe(), self.successors.subscribe());
        let is_deploy = self.inner().operation.as_ref().is_some_and(|operation| operation.is_deploy);
        let decided = state.wait_for(|snapshot| match snapshot.state {
            ReplicaState::Ready | ReplicaState::Ended => true,
            _ => snapshot.failure.as_ref().is_some_and(|failure| failure.for_good || failure.in_a_row >= TRIES),
        });
        let snapshot = tokio::select! {
            decided = timeout(patience, decided) => match decided {
                Ok(Ok(snapshot)) => snapshot.clone(),
                Ok(Err(_)) | Err(_) => return Err(self.never_ready(replica, patience)),
            },
            () = self.context.closing.cancelled() => return Err(self.interrupted()),
            Ok(_) = successors.wait_for(|waiting| waiting.take(is_deploy)) => return Err(self.succeeded()),
        };
        match snapshot.state {
            ReplicaState::Ready => Ok(()),
            ReplicaState::Ended => Err(self.interrupted()),
            _ => Err(self.crashed(replica, &snapshot)),
        }
    }

    fn interrupted(&self) -> Error {
        Error::new(Kind::Stopped, format!("{} was not deployed", self.name))
            .why("it was stopped before it was ready")
            .next("msctl status --local")
    }

    fn succeeded(&self) -> Error {
        Error::new(Kind::Stopped, format!("{} was not deployed", self.name))
            .why("it was changed again before it was ready")
            .next("msctl status --local")
    }

    fn not_ready(&self) -> Error {
        Error::new(Kind::RolloutFailed, format!("{} does not become ready", self.name))
    }

    fn crashed(&self, replica: &Replica, snapshot: &Snapshot) -> Error {
        let Some(failure) = &snapshot.failure else {
            return self.not_ready().why(format!("{} ended", replica.name)).next("msctl status --local");
        };
        self.explain(self.not_ready().why(format!("{}: {failure}", replica.name)), replica, &failure.log)
    }

    fn never_ready(&self, replica: &Replica, patience: Duration) -> Error {
        let why = replica.why();
        let error = self.not_ready().why(format!("{}: not within {}: {why}", replica.name, Span::from(patience)));
        self.explain(error, replica, &replica.last_lines())
    }

    fn explain(&self, error: Error, replica: &Replica, lines: &[String]) -> Error {
        let error = error.log(format!("the last lines of {}", replica.name), lines.to_vec());
        error.next(format!("all its lines: {}", self.context.logs.path(&replica.name).display()))
    }

    /// Remembers for `status` whether the operation failed.
    fn outcome(&self, outcome: Result<(), Error>) -> Result<(), Error> {
        let failed = outcome.as_ref().err().map(|error| Reason { subject: self.name.clone(), text: error.to_string() });
        self.inner().failed = failed;
        outcome
    }

    /// Until it is dropped, an operation is under way.
    fn operation(self: &Arc<Self>, events: Option<Events>, is_deploy: bool) -> UnderWay {
        self.inner().operation = Some(Operation { events, is_deploy });
        UnderWay(self.clone())
    }
}

struct UnderWay(Arc<Service>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.inner().operation = None;
    }
}
