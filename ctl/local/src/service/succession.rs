//! Whose place a change takes that finds another one under way.

use std::sync::Arc;

use super::Service;

/// How many wait for the end of the change that is under way, and need not.
#[derive(Debug, Default)]
pub(crate) struct Successors {
    deploys: usize,
    deletes: usize,
}

impl Successors {
    /// Whether somebody takes the place of a change, which is a deploy or is not.
    pub(super) fn take(&self, is_deploy: bool) -> bool {
        self.deletes > 0 || (is_deploy && self.deploys > 0)
    }

    fn count(&mut self, takes: Takes) -> &mut usize {
        match takes {
            Takes::Deploys => &mut self.deploys,
            Takes::All => &mut self.deletes,
        }
    }
}

/// Whose place a change takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Deploys,
    All,
}

/// Until it is dropped, a change that waits for replicas gives up: it might wait for good.
#[derive(Debug)]
pub(crate) struct Successor(Arc<Service>, Takes);

impl Successor {
    pub(crate) fn of(service: Arc<Service>, takes: Takes) -> Self {
        service.successors.send_modify(|waiting| *waiting.count(takes) += 1);
        Self(service, takes)
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        self.0.successors.send_modify(|waiting| *waiting.count(self.1) -= 1);
    }
}
