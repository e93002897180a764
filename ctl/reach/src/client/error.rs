//! What can go wrong between us and the API server, in words of the person who has to mend it.

use std::path::PathBuf;

use kube::config::{InClusterError, KubeconfigError};

use crate::error_chain::{find, root_cause};

/// Why no client could be built.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no kubeconfig found; looked at {}", list_paths(looked))]
    NoKubeconfig { looked: Vec<PathBuf> },
    #[error("{} has no contexts", list_paths(files))]
    NoContexts { files: Vec<PathBuf> },
    #[error("cannot read kubeconfig {}: {}", path.display(), root_cause(source))]
    ReadKubeconfig {
        path: PathBuf,
        // Not a `source`: the message holds its whole content already.
        source: Box<KubeconfigError>,
    },
    #[error("the kubeconfig has no current context; it knows {}", list(known))]
    NoCurrentContext { known: Vec<String> },
    #[error("unknown context \"{name}\"; the kubeconfig knows {}", list(known))]
    UnknownContext { name: String, known: Vec<String> },
    #[error("context \"{context}\" refers to cluster \"{cluster}\", which the kubeconfig does not define")]
    UnknownCluster { context: String, cluster: String },
    #[error("cannot use context \"{context}\": {}", root_cause(source))]
    Kubeconfig { context: String, source: Box<KubeconfigError> },
    #[error("cannot use the pod's service account: {}", root_cause(source))]
    InCluster { source: InClusterError },
    #[error("groups to impersonate were given without a user")]
    GroupsWithoutUser,
    #[error("cannot get credentials of user \"{user}\" for context \"{context}\": {cause}")]
    Credentials { context: String, user: String, cause: String },
    #[error("cannot set up TLS to {server}: {cause}")]
    Tls { server: String, cause: String },
    #[error("cannot reach {server} through proxy \"{proxy}\": {cause}")]
    Proxy { server: String, proxy: String, cause: String },
}

impl ConnectError {
    /// The next command to run.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKubeconfig { .. } => {
                "set KUBECONFIG or pass --kubeconfig FILE; a local cluster writes one: `kind create cluster` or `minikube start`".into()
            }
            Self::NoContexts { .. } => {
                "pass --kubeconfig FILE with one that has; a local cluster adds its own: `kind create cluster` or `minikube start`".into()
            }
            Self::ReadKubeconfig { path, .. } => format!("kubectl config view --kubeconfig {}", path.display()),
            Self::NoCurrentContext { known } => match known.first() {
                Some(first) => format!("pass --context {first}, or run `kubectl config use-context {first}`"),
                None => "kubectl config get-contexts".into(),
            },
            Self::UnknownContext { name, known } => match closest(name, known) {
                Some(near) => format!("did you mean --context {near}?"),
                None => "kubectl config get-contexts".into(),
            },
            Self::UnknownCluster { .. } | Self::Kubeconfig { .. } => "kubectl config view".into(),
            Self::InCluster { .. } => "outside a pod, unset KUBERNETES_SERVICE_HOST or pass --kubeconfig".into(),
            Self::GroupsWithoutUser => "add --as USER".into(),
            Self::Credentials { .. } => "kubectl auth whoami".into(),
            Self::Tls { .. } => "check the certificates in `kubectl config view --raw`".into(),
            Self::Proxy { .. } => "check proxy-url in the kubeconfig, HTTPS_PROXY and NO_PROXY".into(),
        })
    }

    /// Its kind, for an exit code.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Credentials { .. } => Trouble::Unauthorized,
            Self::Tls { .. } => Trouble::Untrusted,
            Self::GroupsWithoutUser => Trouble::Invalid,
            _ => Trouble::Unreachable,
        }
    }
}

/// The kind of a failure, independent of what was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No connection: refused, no route, no such host, cut off.
    Unreachable,
    /// A certificate, ours or theirs, was not accepted.
    Untrusted,
    /// 401: no or expired credentials.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 410: a watch or a list has to start anew.
    Gone,
    /// 400, 422: the request will never be accepted as it is.
    Invalid,
    /// 429, 503: try later.
    Overloaded,
    /// No answer within the deadline, ours or the server's (504).
    TimedOut,
    Other,
}

impl Trouble {
    /// The kind of what kube's client reported.
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status.code),
            other => Self::of_transport(other),
        }
    }

    fn of_status(code: u16) -> Self {
        match code {
            400 | 422 => Self::Invalid,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            429 | 503 => Self::Overloaded,
            408 | 504 => Self::TimedOut,
            _ => Self::Other,
        }
    }

    fn of_transport(error: &(dyn std::error::Error + 'static)) -> Self {
        if find::<rustls::Error>(error).is_some() {
            return Self::Untrusted;
        }
        if find::<kube::client::AuthError>(error).is_some() {
            return Self::Unauthorized;
        }
        // No connection in time is no server, not a slow one.
        if never_connected(error) {
            return Self::Unreachable;
        }
        if is_elapsed(error) {
            return Self::TimedOut;
        }
        let io = find::<std::io::Error>(error);
        let hyper = find::<hyper_util::client::legacy::Error>(error).is_some() || find::<hyper::Error>(error).is_some();
        if io.is_some() || hyper { Self::Unreachable } else { Self::Other }
    }
}

/// The API server took the request and closed the connection without an answer.
pub(crate) fn hung_up(error: &kube::Error) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_incomplete_message)
}

fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error).is_some_and(hyper_util::client::legacy::Error::is_connect)
}

fn is_elapsed(error: &(dyn std::error::Error + 'static)) -> bool {
    find::<tower::timeout::error::Elapsed>(error).is_some()
        || find::<tokio::time::error::Elapsed>(error).is_some()
        || find::<std::io::Error>(error).is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

/// A request that the API server did not grant, or that did not reach it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {}", self.reason())]
pub struct ApiError {
    pub trouble: Trouble,
    /// What was tried: "list pods in demo".
    pub action: String,
    pub server: String,
    /// The server's message, or the operating system's.
    pub cause: String,
    error: Box<kube::Error>,
}

impl ApiError {
    pub(crate) fn new(action: String, server: String, error: kube::Error) -> Self {
        let cause = match &error {
            kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
            kube::Error::Api(status) => format!("HTTP {} {}", status.code, status.reason),
            other if never_connected(other) && is_elapsed(other) => "no connection in time".to_owned(),
            other => root_cause(other),
        };
        Self { trouble: Trouble::of(&error), action, server, cause, error: Box::new(error) }
    }

    /// What kube's client reported, for those who match on it.
    pub fn kube(&self) -> &kube::Error {
        &self.error
    }

    fn is_the_servers_fault(&self) -> bool {
        matches!(&*self.error, kube::Error::Api(status) if matches!(status.code, 500 | 503))
    }

    /// Why, without what was tried.
    pub fn reason(&self) -> String {
        let Self { server, cause, .. } = self;
        match self.trouble {
            Trouble::Unreachable => format!("the API server {server} is not reachable: {cause}"),
            Trouble::Untrusted => format!("the API server {server} and we do not trust each other: {cause}"),
            Trouble::Unauthorized => format!("the API server {server} does not accept the credentials: {cause}"),
            Trouble::TimedOut => format!("the API server {server} did not answer in time: {cause}"),
            _ => cause.clone(),
        }
    }

    /// The next command to run.
    pub fn hint(&self) -> Option<String> {
        Some(match self.trouble {
            Trouble::Unreachable | Trouble::TimedOut => {
                "kubectl cluster-info; is the cluster up, is it the right context?".into()
            }
            Trouble::Untrusted => "check the certificates in `kubectl config view --raw`".into(),
            Trouble::Unauthorized => "log in again, then check with `kubectl auth whoami`".into(),
            Trouble::Forbidden => "ask for the right, or see what you may do with `kubectl auth can-i --list`".into(),
            // The API server passes on what it could not ask.
            _ if self.cause.contains("failed calling webhook") => {
                "is the webhook ready? kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations".into()
            }
            Trouble::Overloaded | Trouble::Other if self.is_the_servers_fault() => {
                "kubectl get --raw '/readyz?verbose' says what the API server lacks".into()
            }
            Trouble::Overloaded => "the API server is busy: try again in a few seconds".into(),
            Trouble::Conflict => "somebody else changed it meanwhile: run it again".into(),
            Trouble::Gone => "what was read has expired meanwhile: run it again".into(),
            _ => return None,
        })
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn list_paths(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if shown.is_empty() { "nothing (no home directory)".into() } else { shown.join(", ") }
}

/// The known name that a slip of the keyboard could have turned into `name`.
fn closest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len().min(name.len()) / 4 || candidate.contains(name)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_suggested_and_a_far_one_is_not() {
        let known = ["kind-kind".to_owned(), "production".to_owned()];
        assert_eq!(closest("prodution", &known), Some("production"));
        assert_eq!(closest("kind", &known), Some("kind-kind"));
        assert_eq!(closest("minikube", &known), None);
    }

    #[test]
    fn an_answer_of_the_server_is_told_from_no_answer() {
        let status = kube::core::Status::failure("pods is forbidden", "Forbidden").with_code(403);
        let error = ApiError::new("list pods".into(), "https://x".into(), kube::Error::Api(status.boxed()));
        assert_eq!(error.trouble, Trouble::Forbidden);
        assert_eq!(error.to_string(), "cannot list pods: pods is forbidden");

        let refused = std::io::Error::from_raw_os_error(111);
        let error = ApiError::new("list pods".into(), "https://x".into(), kube::Error::Service(Box::new(refused)));
        assert_eq!(error.trouble, Trouble::Unreachable);
        assert_eq!(
            error.to_string(),
            "cannot list pods: the API server https://x is not reachable: Connection refused"
        );
    }
}
