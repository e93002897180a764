//! Why there is no tunnel, or no connection through it.

use std::error::Error;
use std::time::Duration;

use crate::client::{ApiError, Trouble};
use crate::error_chain;

/// Why no relay could be reached or made.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The user lacks a right (403).
    #[error("cannot {action}: {message}")]
    Forbidden { action: String, namespace: String, message: String },
    #[error("namespace \"{namespace}\" does not exist")]
    NoNamespace { namespace: String },
    /// The cluster does not admit the relay's pod: a quota, Pod Security, an admission webhook.
    #[error("namespace \"{namespace}\" does not admit the relay: {message}")]
    NotAdmitted { namespace: String, message: String },
    /// The pod will never run.
    #[error("relay {pod} cannot start: {reason}{}{message}", if message.is_empty() { "" } else { ": " })]
    Doomed { namespace: String, pod: String, image: String, reason: String, message: String },
    #[error("the relay did not start within {after:?}; it was waiting for {waiting_for}")]
    TimedOut { namespace: String, job: String, after: Duration, waiting_for: String },
    #[error("interrupted while the relay was being made")]
    Cancelled,
    #[error(transparent)]
    Api(ApiError),
}

impl TunnelError {
    /// What the API server answered to `action`.
    pub(super) fn api(server: &str, namespace: &str, action: String, error: kube::Error) -> Self {
        let error = ApiError::new(action, server.to_owned(), error);
        match error.trouble {
            Trouble::Forbidden if error.cause.contains("cannot ") => {
                Self::Forbidden { action: error.action, namespace: namespace.to_owned(), message: error.cause }
            }
            // Admission also answers 403: "exceeded quota", "violates PodSecurity", "because it is being terminated".
            Trouble::Forbidden => Self::NotAdmitted { namespace: namespace.to_owned(), message: error.cause },
            Trouble::NotFound if error.cause.starts_with("namespaces ") => {
                Self::NoNamespace { namespace: namespace.to_owned() }
            }
            _ => Self::Api(error),
        }
    }

    /// The next command to run.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Forbidden { namespace, .. } => format!(
                "the relay needs, in {namespace}: create, get and delete jobs; list and watch pods; create and get \
                 pods/portforward; inside the cluster, --via direct needs none of it"
            ),
            Self::NoNamespace { .. } => "kubectl get namespaces".to_owned(),
            Self::NotAdmitted { namespace, message } if message.contains("being terminated") => {
                format!(
                    "wait until `kubectl get namespace {namespace}` says NotFound, then make it and its services anew"
                )
            }
            Self::NotAdmitted { namespace, .. } => format!("kubectl describe resourcequota,limitrange -n {namespace}"),
            Self::Doomed { namespace, pod, image, reason, .. } => doomed_hint(namespace, pod, image, reason),
            Self::TimedOut { namespace, job, .. } => {
                format!("kubectl describe pods -n {namespace} -l batch.kubernetes.io/job-name={job}")
            }
            Self::Cancelled => return None,
            Self::Api(error) => return error.hint(),
        })
    }

    /// Its kind, for an exit code.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Forbidden { .. } => Trouble::Forbidden,
            Self::NoNamespace { .. } => Trouble::NotFound,
            Self::NotAdmitted { .. } => Trouble::Invalid,
            Self::TimedOut { .. } => Trouble::TimedOut,
            // `TimedOut` is for our own deadlines: an API server that does not answer is one that cannot be reached.
            Self::Api(error) if error.trouble == Trouble::TimedOut => Trouble::Unreachable,
            Self::Api(error) => error.trouble,
            Self::Doomed { .. } | Self::Cancelled => Trouble::Other,
        }
    }
}

fn doomed_hint(namespace: &str, pod: &str, image: &str, reason: &str) -> String {
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => format!(
            "can the nodes pull {image}? Load it (kind load docker-image, minikube image load), or name another one and \
             its pull secret"
        ),
        "ErrImageNeverPull" => format!("{image} is not on the node: load it there"),
        "InvalidImageName" => format!("\"{image}\" is not an image name like REGISTRY/REPOSITORY:TAG"),
        _ => format!("kubectl describe pod -n {namespace} {pod}"),
    }
}

/// Why there is no connection to a target.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Cluster DNS knows no such name.
    #[error("cannot connect to {target}: {detail}")]
    NotFound { target: String, detail: String },
    /// Nothing listens there.
    #[error("cannot connect to {target}: {detail}")]
    Refused { target: String, detail: String },
    /// The relay does not dial such addresses.
    #[error("cannot connect to {target}: {detail}")]
    Prohibited { target: String, detail: String },
    #[error("cannot connect to {target}: {detail}")]
    TimedOut { target: String, detail: String },
    /// Cluster DNS failed.
    #[error("cannot connect to {target}: {detail}")]
    Dns { target: String, detail: String },
    #[error("cannot connect to {target}: {detail}")]
    Unreachable { target: String, detail: String },
    #[error("cannot connect to {target}: {detail}")]
    Overloaded { target: String, detail: String },
    /// No host and port, or a scheme that this way does not have.
    #[error("cannot connect to {target}: {detail}")]
    BadTarget { target: String, detail: String },
    /// The relay went while it was dialling, again and again.
    #[error("cannot connect to {target}: lost the relay: {cause}")]
    Lost { target: String, cause: String },
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
}

impl DialError {
    /// The one in a chain of errors, such as hyper-util's.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        error_chain::find(error)
    }

    /// The next command to run.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => {
                "kubectl get services --all-namespaces; a target is NAME[.NAMESPACE][:PORT]".into()
            }
            Self::Refused { .. } | Self::Unreachable { .. } => {
                "is it the right port, and is a pod ready? kubectl get endpointslices".into()
            }
            Self::Prohibited { .. } => "the relay dials private ranges and Services only".into(),
            Self::TimedOut { .. } => {
                "does a NetworkPolicy keep the relay out, is a pod ready? kubectl get endpointslices,networkpolicies"
                    .into()
            }
            Self::Dns { .. } => "kubectl get pods -n kube-system -l k8s-app=kube-dns".into(),
            Self::Overloaded { .. } => "use fewer connections at a time".into(),
            Self::Tunnel(error) => return error.hint(),
            Self::BadTarget { .. } => "a target is NAME[.NAMESPACE][:PORT], or http://HOST[:PORT]".into(),
            Self::Lost { .. } => {
                "kubectl get pods --all-namespaces -l app.kubernetes.io/component=relay; run it again when it is ready"
                    .into()
            }
        })
    }

    /// Its kind, for an exit code.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::NotFound { .. } => Trouble::NotFound,
            Self::Refused { .. } | Self::Unreachable { .. } | Self::Dns { .. } | Self::Lost { .. } => Trouble::Other,
            Self::Prohibited { .. } | Self::BadTarget { .. } => Trouble::Invalid,
            Self::TimedOut { .. } => Trouble::TimedOut,
            Self::Overloaded { .. } => Trouble::Overloaded,
            Self::Tunnel(error) => error.trouble(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_is_not_admitted_says_what_to_look_at() {
        for (message, next) in [
            ("exceeded quota: small", "kubectl describe resourcequota,limitrange -n shop"),
            (
                "unable to create new content in namespace shop because it is being terminated",
                "wait until `kubectl get namespace shop` says NotFound",
            ),
        ] {
            let error = TunnelError::NotAdmitted { namespace: "shop".into(), message: message.into() };
            assert!(error.hint().is_some_and(|hint| hint.contains(next)), "{error}");
        }
    }

    #[test]
    fn a_connection_that_cannot_be_had_says_what_to_do() {
        let (target, why) = (String::new(), String::new());
        for (error, next) in [
            (DialError::BadTarget { target: target.clone(), detail: why.clone() }, "NAME[.NAMESPACE][:PORT]"),
            (DialError::Lost { target, cause: why }, "kubectl get pods"),
        ] {
            assert!(error.hint().is_some_and(|hint| hint.contains(next)), "{error}");
        }
    }
}
