//! A cluster as a platform: connected to when something needs it, and once.

use project::{Environment, Project};
use reach::Cluster;
use tokio::sync::OnceCell;

use super::session;
use crate::cli::Globals;
use crate::error::Error;
use crate::wanted::Layers;

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

    /// The client; making it asks nobody.
    pub(crate) async fn cluster(&self) -> Result<&Cluster, Error> {
        self.cluster.get_or_try_init(|| session::connect(&self.globals)).await
    }

    /// For the `where` line of an error; none before the client is made.
    pub(crate) fn place(&self) -> Option<String> {
        self.cluster.get().map(session::place)
    }

    /// The namespace of the command, also where there is no cluster to be had.
    pub(crate) async fn namespace(&self) -> &str {
        match self.cluster().await {
            Ok(cluster) => &cluster.namespace,
            Err(_) => self.globals.namespace.as_deref().unwrap_or("default"),
        }
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
