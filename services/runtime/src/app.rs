//! What a service is made of, and what it is given to be made with.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use axum::Router;
use telemetry::Telemetry;

use crate::health::Health;

/// What a service's parts report to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Holds readiness back by conditions.
    pub health: Health,
    /// Takes metrics.
    pub telemetry: Telemetry,
}

/// What is served, and what is to be stopped after it.
pub struct App {
    pub(crate) router: Router,
    pub(crate) stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl App {
    pub fn new(router: Router) -> Self {
        Self { router, stop: Box::pin(std::future::ready(())) }
    }

    /// The router, and what is to be awaited after it was served: for tests, which serve without [`crate::launch`].
    pub fn into_parts(self) -> (Router, Pin<Box<dyn Future<Output = ()> + Send>>) {
        (self.router, self.stop)
    }

    /// The same, with work that goes on beside the requests: `stop` is awaited once the last request was answered, for
    /// at most 5 s, and before telemetry is flushed.
    #[must_use]
    pub fn on_stop(self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { stop: Box::pin(stop), ..self }
    }
}

impl From<Router> for App {
    fn from(router: Router) -> Self {
        Self::new(router)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("router", &self.router).finish_non_exhaustive()
    }
}
