//! The supervisor: the services of one project, and what can be done with them.

mod operations;
mod ports;
mod start;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use tokio::sync::watch;

use crate::error::{Error, Kind};
use crate::logs::Logs;
use crate::names::Names;
use crate::service::{Context, Service, Stop};
use crate::{Applied, Deleted, Events, Scaled, ServiceSpec, ServiceStatus, StateFolder};

/// What to start.
#[derive(Debug)]
pub struct Up {
    /// The namespace of local mode: the project's name.
    pub namespace: String,
    pub state: StateFolder,
    pub specs: Vec<ServiceSpec>,
    /// Command and arguments of the guard: this binary's hidden verb.
    pub guard: Vec<OsString>,
    pub telemetry: Telemetry,
}

/// Where replicas send their spans.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` of replicas, such as `http://127.0.0.1:4318`.
    pub endpoint: String,
}

/// The part of the network that is shared by all services.
#[derive(Debug, Clone)]
pub struct Net {
    /// The supervisor keeps the services' addresses in it.
    pub names: Names,
    /// Where the name proxy listens: `HTTP_PROXY` of replicas.
    pub proxy: SocketAddr,
}

/// Ends when the supervisor has stopped (after [`Supervisor::stop`]), or with the error that ended it: the guard was lost.
/// Then nothing runs any more, and the state folder is free. It need not be polled for the supervisor to work.
pub type Ended = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A cheap handle. Operations go on when whoever asked for them does not wait for them; those of one service come one
/// after the other.
#[derive(Debug, Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    services: Mutex<BTreeMap<String, Arc<Service>>>,
    /// One operation at a time for each name.
    operations: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// How the first deployment went; none while it is under way.
    started: watch::Sender<Option<Result<Vec<Applied>, Error>>>,
}

impl Supervisor {
    /// Starts the guard, checks every port, and begins to start everything; [`Self::started`] waits for it.
    ///
    /// # Errors
    /// Before anything is started: [`Kind::Conflict`] when ports are in use, with all of them; [`Kind::Usage`] for specs that
    /// contradict each other.
    pub async fn start(up: Up, net: Net, events: Events) -> Result<(Self, Ended), Error> {
        start::start(up, net, events).await
    }

    /// Waits until everything that was to be started is ready.
    ///
    /// # Errors
    /// [`Kind::RolloutFailed`], with the last lines of the replica that failed. The others go on: [`Self::stop`] ends them.
    pub async fn started(&self) -> Result<Vec<Applied>, Error> {
        let mut started = self.inner.started.subscribe();
        let outcome = started.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(Error::failed("nothing was started").why("`msctl up` ended before")))
    }

    /// Makes the services be as told, one replica at a time; others are left alone. One that fails stays as it was.
    pub async fn apply(&self, specs: Vec<ServiceSpec>, events: Events) -> Result<Vec<Applied>, Error> {
        operations::check(&specs)?;
        operations::apply(self, specs, Some(events)).await
    }

    /// Starts or ends replicas. One that fails stays as it was.
    pub async fn scale(&self, name: &str, replicas: u32, events: Events) -> Result<Scaled, Error> {
        operations::scale(self, name, replicas, events).await
    }

    /// Ends a service's replicas and forgets it; its port is free then.
    pub async fn delete(&self, name: &str, events: Events) -> Result<Deleted, Error> {
        operations::delete(self, name, events).await
    }

    pub fn status(&self) -> Vec<ServiceStatus> {
        self.services().iter().map(|service| service.status()).collect()
    }

    /// Ends every service: SIGTERM, its stop timeout, SIGKILL. Then [`Ended`] ends.
    ///
    /// Operations that are under way fail. A second call waits too.
    pub async fn stop(&self, events: Events) {
        self.end(Some(events)).await;
    }

    async fn end(&self, events: Option<Events>) {
        self.inner.context.closing.cancel();
        let supervisor = self.clone();
        // Goes on when the caller does not wait for it.
        let ending = tokio::spawn(async move {
            // Those that begin a moment later find that everything ends.
            join_all(supervisor.services().iter().map(|service| service.end(Stop::Now, events.clone()))).await;
            supervisor.inner.context.guard.end().await;
        });
        let _ = ending.await;
    }

    /// Where the lines of replicas are read.
    pub fn logs(&self) -> &Logs {
        &self.inner.context.logs
    }

    fn services(&self) -> Vec<Arc<Service>> {
        self.inner.services.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn service(&self, name: &str) -> Result<Arc<Service>, Error> {
        let services = self.inner.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = services.keys().map(String::as_str).collect();
            let error = Error::new(Kind::NotFound, format!("there is no service {name}"));
            match known.as_slice() {
                [] => error.why("no service is up"),
                known => error.why(format!("services: {}", known.join(", "))),
            }
        })
    }

    fn insert(&self, service: Arc<Service>) {
        let mut services = self.inner.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.insert(service.name.clone(), service);
    }

    fn remove(&self, name: &str) {
        self.inner.services.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.inner.context.net.names.remove(name);
    }

    /// What an operation on this service has to hold.
    fn turn(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut operations = self.inner.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.entry(name.to_owned()).or_default().clone()
    }
}
