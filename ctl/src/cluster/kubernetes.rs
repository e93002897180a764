//! A cluster as a platform: connected to when something needs it, and once.

use std::time::Duration;

use project::{Environment, Project};
use reach::Cluster;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::session;
use crate::cli::Globals;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::wanted::Layers;

const CONNECTING: &str = "getting credentials for the cluster";
const WHOAMI: &str = "kubectl auth whoami, which runs the same plugin";

fn late(limit: Duration) -> Error {
    Error::new(ExitCode::TimedOut, format!("{CONNECTING}: not done within {limit:?}"))
        .why("a credential plugin of the kubeconfig may wait for somebody")
        .place("the kubeconfig")
        .next(WHOAMI)
}

/// The cluster that the command line means.
#[derive(Debug)]
pub(crate) struct Kubernetes {
    globals: Globals,
    /// What says of services what they should be.
    project: Option<Project>,
    /// Of the project, which pins the context.
    environment: Option<Environment>,
    cluster: OnceCell<Cluster>,
}

impl Kubernetes {
    /// The kubeconfig's current context, or the one of the command line.
    pub(crate) fn new(globals: Globals, project: Option<Project>) -> Self {
        Self { globals, project, environment: None, cluster: OnceCell::new() }
    }

    /// The context that an environment is pinned to; a command line that names another is refused before anything is
    /// written.
    pub(crate) fn pinned(mut globals: Globals, environment: Environment, project: Project) -> Result<Self, Error> {
        let Environment { name, context, namespace, .. } = &environment;
        if let Some(other) = globals.context.as_ref().filter(|other| *other != context) {
            return Err(Error::usage(format!("environment {name} is pinned to context {context}"))
                .why(format!("--context asks for {other}"))
                .next("leave out --context, or the environment with its other settings"));
        }
        globals.context = Some(context.clone());
        globals.namespace = globals.namespace.or_else(|| namespace.clone());
        Ok(Self { globals, project: Some(project), environment: Some(environment), cluster: OnceCell::new() })
    }

    pub(crate) fn layers(&self) -> Layers<'_> {
        match &self.project {
            Some(project) => Layers::Cluster { project, environment: self.environment() },
            None => Layers::None,
        }
    }

    pub(crate) fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// The client. Making it asks no API server, but may run a credential plugin, which may wait for a person.
    pub(crate) async fn cluster(&self) -> Result<&Cluster, Error> {
        self.cluster.get_or_try_init(|| session::connect(&self.globals)).await
    }

    /// For the `where` line of an error; none before the client is made.
    pub(crate) fn place(&self) -> Option<String> {
        self.cluster.get().map(session::place)
    }

    /// The namespace of the command, also where there is no cluster to be had.
    pub(crate) async fn namespace(&self) -> String {
        match self.cluster.get() {
            Some(cluster) => cluster.namespace.clone(),
            None => session::namespace(&self.globals).await,
        }
    }

    /// The client, within the time of a verb that began `since`; a signal ends the wait.
    pub(crate) async fn in_time(&self, since: Instant, limit: Option<Duration>) -> Result<&Cluster, Error> {
        let connecting = async {
            let Some(limit) = limit else { return self.cluster().await };
            tokio::time::timeout_at(since + limit, self.cluster()).await.unwrap_or_else(|_| Err(late(limit)))
        };
        Interrupt::listen()?.or(CONNECTING, Box::pin(connecting)).await.map_err(|error| match error.code() {
            ExitCode::Interrupted => error.place("the kubeconfig").next(WHOAMI),
            _ => error,
        })
    }

    /// The same for verbs without a time of their own: `--request-timeout`, when it is given.
    pub(crate) async fn at_once(&self) -> Result<&Cluster, Error> {
        self.in_time(Instant::now(), self.globals.request_timeout.filter(|limit| !limit.is_zero())).await
    }

    pub(super) fn globals(&self) -> &Globals {
        &self.globals
    }
}

#[cfg(test)]
impl From<Cluster> for Kubernetes {
    fn from(cluster: Cluster) -> Self {
        Self { cluster: OnceCell::new_with(Some(cluster)), ..Self::new(Globals::default(), None) }
    }
}
