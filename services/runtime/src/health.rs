//! What a service is waiting for, and whether traffic is welcome.

use std::sync::{Arc, Mutex, PoisonError};

/// The conditions of readiness, shared by whoever sets them and by the admin port.
///
/// Ready means: every registered condition is met, and the service is not draining. An upstream that is away is no
/// condition: a service that takes itself out because another one is down makes one outage into two.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    draining: bool,
    conditions: Vec<(&'static str, bool)>,
}

/// One thing that must have happened before the service is ready.
#[derive(Debug)]
pub struct Condition {
    health: Health,
    index: usize,
}

/// Whether traffic is welcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// The conditions that are not met yet.
    WaitingFor(Vec<&'static str>),
    /// On the way out.
    Draining,
}

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// A condition that is not met until [`Condition::met`] says so. `what` completes "waiting for ...".
    pub fn condition(&self, what: &'static str) -> Condition {
        let index = self.with(|state| {
            state.conditions.push((what, false));
            state.conditions.len() - 1
        });
        Condition { health: self.clone(), index }
    }

    /// Readiness fails from here on.
    pub fn drain(&self) {
        self.with(|state| state.draining = true);
    }

    pub fn readiness(&self) -> Readiness {
        self.with(|state| {
            if state.draining {
                return Readiness::Draining;
            }
            let waiting: Vec<_> = state.conditions.iter().filter(|(_, met)| !met).map(|(what, _)| *what).collect();
            if waiting.is_empty() { Readiness::Ready } else { Readiness::WaitingFor(waiting) }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A holder can't panic half way through a change, so a poisoned lock still guards a whole state.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Condition {
    /// It has happened; it stays so.
    pub fn met(self) {
        self.health.with(|state| state.conditions[self.index].1 = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_once_every_condition_is_met() {
        let health = Health::new();
        assert_eq!(health.readiness(), Readiness::Ready);

        let migrations = health.condition("migrations");
        let cache = health.condition("cache");
        assert_eq!(health.readiness(), Readiness::WaitingFor(vec!["migrations", "cache"]));

        migrations.met();
        assert_eq!(health.readiness(), Readiness::WaitingFor(vec!["cache"]));
        cache.met();
        assert_eq!(health.readiness(), Readiness::Ready);
    }

    #[test]
    fn a_draining_service_is_not_ready_whatever_its_conditions() {
        let health = Health::new();
        let _never_met = health.condition("migrations");

        health.clone().drain();

        assert_eq!(health.readiness(), Readiness::Draining);
    }
}
