//! The life of one service: its replicas, and the changes to them.

mod backoff;
mod environment;
mod health;
mod life;
mod ports;
mod probe;
mod replica;
mod rollout;
mod status;
mod succession;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::balance::{Backend, Balancer};
use crate::logs::Logs;
use crate::process::Guard;
use crate::status::{Reason, ReplicaState};
use crate::supervisor::{Net, Telemetry};
use crate::{Event, Events, ServiceSpec};

use replica::Replica;
pub(crate) use replica::Stop;
use succession::Successors;
pub(crate) use succession::{Successor, Takes};

/// What all services of a supervisor share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) namespace: String,
    pub(crate) net: Net,
    pub(crate) telemetry: Telemetry,
    /// `MSCTL_DATA` of replicas.
    pub(crate) data: PathBuf,
    pub(crate) guard: Guard,
    pub(crate) logs: Logs,
    pub(crate) events: Events,
    /// Cancelled when everything ends: nothing is started any more.
    pub(crate) closing: CancellationToken,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    context: Arc<Context>,
    inner: Mutex<Inner>,
    /// Who waits to take the place of the change that is under way.
    successors: watch::Sender<Successors>,
}

#[derive(Debug)]
struct Inner {
    /// As last deployed with success, or as it is deployed for the first time.
    spec: Arc<ServiceSpec>,
    wanted: u32,
    since: Timestamp,
    /// One, and during a change of the port two.
    balancers: Vec<Balancer>,
    replicas: Vec<Arc<Replica>>,
    operation: Option<Operation>,
    /// Why the last operation failed.
    failed: Option<Reason>,
}

/// A change that is under way.
#[derive(Debug)]
struct Operation {
    /// Who asked for it is told what happens, unless it is the supervisor's own listener.
    events: Option<Events>,
    /// A later deploy says all that this one does.
    is_deploy: bool,
}

impl Service {
    pub(crate) fn new(context: Arc<Context>, spec: ServiceSpec, balancer: Balancer) -> Arc<Self> {
        let inner = Inner {
            wanted: spec.replicas,
            spec: Arc::new(spec.clone()),
            since: Timestamp::now(),
            balancers: vec![balancer],
            replicas: Vec::new(),
            operation: None,
            failed: None,
        };
        Arc::new(Self { name: spec.name, context, inner: Mutex::new(inner), successors: watch::Sender::default() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the supervisor's own listener, and who waits for the operation that is under way.
    fn tell(&self, event: &Event) {
        // Dropped when a reader is behind: no replica waits for one.
        let _ = self.context.events.try_send(event.clone());
        if let Some(Operation { events: Some(events), .. }) = &self.inner().operation
            && !events.same_channel(&self.context.events)
        {
            let _ = events.try_send(event.clone());
        }
    }

    /// What it was last deployed as.
    pub(crate) fn spec(&self) -> Arc<ServiceSpec> {
        self.inner().spec.clone()
    }

    /// New connections go to the replicas that are ready now. Under the lock, so that the last call has the last word.
    fn balance(&self) {
        let inner = self.inner();
        let ready: Vec<Backend> = inner
            .replicas
            .iter()
            .filter_map(|replica| {
                let snapshot = replica.snapshot();
                let port = snapshot.at.filter(|_| snapshot.state == ReplicaState::Ready)?.port;
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                Some(Backend { replica: replica.name.clone(), address })
            })
            .collect();
        for balancer in &inner.balancers {
            balancer.set(ready.clone());
        }
    }

    /// Connections that a replica still has.
    fn connections(&self, replica: &str) -> usize {
        self.inner().balancers.iter().map(|balancer| balancer.counts().get(replica).copied().unwrap_or(0)).sum()
    }

    /// Whether it was deployed as this with success, and still has as many replicas.
    pub(crate) fn is_as(&self, spec: &ServiceSpec) -> bool {
        let inner = self.inner();
        inner.failed.is_none() && inner.spec.runs_as(spec) && inner.wanted == spec.replicas
    }

    /// Ends it as an operation of its own, connections first.
    pub(crate) async fn delete(&self, events: Events) -> Vec<String> {
        self.end(Stop::Drain, Some(events)).await
    }

    /// Ends every replica and frees the port. Returns the names of the replicas.
    pub(crate) async fn end(&self, stop: Stop, events: Option<Events>) -> Vec<String> {
        let replicas = {
            let mut inner = self.inner();
            inner.operation = Some(Operation { events, is_deploy: false });
            inner.replicas.clone()
        };
        let names = replicas.iter().map(|replica| replica.name.clone()).collect();
        join_all(replicas.iter().map(|replica| self.stop(replica, stop))).await;
        let balancers = std::mem::take(&mut self.inner().balancers);
        join_all(balancers.into_iter().map(Balancer::close)).await;
        names
    }

    /// Ends a replica; it is gone when this returns.
    async fn stop(&self, replica: &Arc<Replica>, stop: Stop) {
        replica.stop(stop).await;
        self.inner().replicas.retain(|other| !Arc::ptr_eq(other, replica));
        self.balance();
    }
}
