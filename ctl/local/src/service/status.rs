//! How a service is, for `status`.

use super::{Inner, Service};
use crate::status::{Reason, ReplicaState, ServiceState, ServiceStatus};

impl Service {
    /// Replicas that are ready.
    pub(crate) fn ready(&self) -> u32 {
        count(&self.inner())
    }

    pub(crate) fn status(&self) -> ServiceStatus {
        let inner = self.inner();
        let ready = count(&inner);
        let mut replicas: Vec<_> = inner.replicas.iter().map(|replica| replica.status()).collect();
        replicas.sort_by(|one, other| one.name.cmp(&other.name));
        let mut reasons: Vec<Reason> = inner.failed.iter().cloned().collect();
        reasons.extend(inner.replicas.iter().filter_map(|replica| {
            let text = replica.snapshot().why?;
            Some(Reason { subject: replica.name.clone(), text })
        }));
        ServiceStatus {
            name: self.name.clone(),
            state: state(&inner, ready),
            ready,
            wanted: inner.wanted,
            port: inner.spec.port,
            version: inner.spec.version.clone(),
            argv: inner.spec.argv.clone(),
            since: inner.since,
            reasons,
            replicas,
        }
    }
}

fn count(inner: &Inner) -> u32 {
    let ready = inner.replicas.iter().filter(|replica| replica.is_ready()).count();
    u32::try_from(ready).unwrap_or(u32::MAX)
}

fn state(inner: &Inner, ready: u32) -> ServiceState {
    let crashing = || inner.replicas.iter().any(|replica| replica.snapshot().failure.is_some());
    let unready = || inner.replicas.iter().any(|replica| replica.snapshot().state == ReplicaState::Unready);
    match inner {
        _ if inner.operation.is_some() => ServiceState::Progressing,
        _ if inner.failed.is_some() => ServiceState::Failing,
        _ if inner.wanted == 0 && inner.replicas.is_empty() => ServiceState::Stopped,
        _ if ready >= inner.wanted => ServiceState::Ready,
        _ if crashing() || unready() => ServiceState::Failing,
        _ => ServiceState::Progressing,
    }
}
