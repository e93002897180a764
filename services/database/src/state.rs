//! Whether the database is there: for readiness, metrics and the log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use runtime::{Condition, Health};

use crate::Error;
use crate::metrics::Metrics;
use crate::statement::System;

#[derive(Debug)]
pub(crate) struct State {
    metrics: Metrics,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Until the first time that the schema is as it should be. Lost later, the service is still ready: not all that it
    /// does needs a database.
    migrated: Option<Condition>,
    /// What was said last, so that a database that stays away says it once.
    trouble: Option<String>,
}

impl State {
    pub(crate) fn new(health: &Health, metrics: Metrics) -> Self {
        let migrated = Some(health.condition("the database's migrations"));
        Self { metrics, inner: Mutex::new(Inner { migrated, trouble: None }) }
    }

    pub(crate) fn up(&self, system: &System) {
        self.metrics.up.set(1);
        let mut inner = self.lock();
        let first = inner.migrated.take();
        if inner.trouble.take().is_some() || first.is_some() {
            tracing::info!(system = system.name, database = system.namespace, "the database can be used");
        }
        if let Some(condition) = first {
            condition.met();
        }
    }

    pub(crate) fn down(&self, system: &System, error: &Error) {
        self.metrics.up.set(0);
        let told = error.to_string();
        let mut inner = self.lock();
        if inner.trouble.as_ref() != Some(&told) {
            tracing::warn!(system = system.name, database = system.namespace, "{told}; it is tried again");
            inner.trouble = Some(told);
        }
    }

    /// A batch was not committed, and the connection is still of use.
    pub(crate) fn failed(&self, system: &System, error: &Error) {
        if let Error::Defect { .. } = error {
            // The database is as well as before.
            tracing::error!(system = system.name, database = system.namespace, "{error}");
        } else {
            self.down(system, error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
