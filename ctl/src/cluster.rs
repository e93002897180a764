//! Kubernetes as a platform, and what talks to the API server: plan, apply, watch, diagnose.

pub(crate) mod apply;
pub(crate) mod autoscaler;
pub(crate) mod deployed;
pub(crate) mod diagnose;
pub(crate) mod failure;
pub(crate) mod held;
pub(crate) mod inventory;
pub(crate) mod kinds;
pub(crate) mod kubernetes;
pub(crate) mod lock;
pub(crate) mod logs;
mod lookup;
pub(crate) mod namespace;
pub(crate) mod ownership;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod remove;
pub(crate) mod seen;
pub(crate) mod session;
mod unready;
pub(crate) mod verbs;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod way;

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
pub(crate) mod fixtures;

/// The field manager of everything but replicas.
pub(crate) const FIELD_MANAGER: &str = "msctl";
/// The field manager that holds `spec.replicas`, so that an apply that omits it does not reset it.
pub(crate) const REPLICAS_MANAGER: &str = "msctl-replicas";
/// Value of the managed-by label.
pub(crate) const MANAGED_BY: &str = "msctl";
/// Label with the service's name; the Service selects on it.
pub(crate) const NAME_LABEL: &str = "app.kubernetes.io/name";
pub(crate) const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Label that objects of our charts and of `msctl deploy` have, and others have not.
pub(crate) const TRACK_LABEL: &str = "msctl.dev/track";
/// Its value for a service's ordinary Deployment.
pub(crate) const STABLE: &str = "stable";
