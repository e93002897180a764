//! A client of the API server: kubeconfig, TLS, credentials, deadlines.

mod deadline;
mod error;
mod kubeconfig;
mod stack;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use error::hung_up;
pub use error::{ApiError, ConnectError, Trouble};
pub(crate) use kubeconfig::in_pod;

/// What kubectl's global flags say about the cluster to talk to.
#[derive(Debug, Clone, Default)]
pub struct KubeOptions {
    /// `--kubeconfig`: this file alone, instead of those of `KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`: instead of the file's current context.
    pub context: Option<String>,
    /// `--namespace`: instead of the context's.
    pub namespace: Option<String>,
    /// `--as`: the user to impersonate.
    pub as_user: Option<String>,
    /// `--as-group`: the groups to impersonate; needs `as_user`.
    pub as_groups: Vec<String>,
    /// From a request to the head of its answer, retries included, and between two pieces of an answer's body
    /// (watches and followed logs aside). 30 s when not given.
    pub request_timeout: Option<Duration>,
    /// TCP and TLS together. 10 s when not given.
    pub connect_timeout: Option<Duration>,
}

/// A cluster, as one context of a kubeconfig (or the pod we run in) names it.
#[derive(Clone)]
pub struct Cluster {
    /// HTTP/1.1, `TCP_NODELAY`, deadlines on everything but watches, at most three retries of 429, 503 and 504.
    pub client: kube::Client,
    /// The flag's, else the context's, else `default`.
    pub namespace: String,
    /// The context's name; `in-cluster` for a pod's service account.
    pub context: String,
    /// The API server's URL.
    pub server: String,
    /// Who we are: the kubeconfig's user, with the one impersonated.
    pub user: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("context", &self.context)
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// What went wrong when `action` ("list pods in demo") was tried, in words of the cluster.
    pub fn explain(&self, action: impl Into<String>, error: kube::Error) -> ApiError {
        ApiError::new(action.into(), self.server.clone(), error)
    }
}

/// The namespace that `connect` would have: the configuration is read, and no credential plugin runs.
///
/// # Errors
/// As those of [`connect`] about the configuration.
pub async fn namespace(options: &KubeOptions) -> Result<String, ConnectError> {
    match &options.namespace {
        Some(said) => Ok(said.clone()),
        None => Ok(kubeconfig::load(options).await?.config.default_namespace),
    }
}

/// Reads the configuration and builds a client. Makes no request: about a millisecond, unless a credential plugin runs.
///
/// # Errors
/// No kubeconfig, one that can't be read or is incomplete, an unknown context, or credentials that can't be had.
pub async fn connect(options: &KubeOptions) -> Result<Cluster, ConnectError> {
    // kube and we must use the same provider; a second install fails, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = kubeconfig::load(options).await?;
    let namespace = options.namespace.clone().unwrap_or_else(|| target.config.default_namespace.clone());
    let client = stack::build(&target, options).await?;
    Ok(Cluster {
        client,
        namespace,
        context: target.context,
        server: target.config.cluster_url.to_string().trim_end_matches('/').to_owned(),
        user: target.user,
    })
}
