//! The telemetry in force: the process's, or for a test that of its thread.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::OnceLock;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

use crate::Telemetry;

static GLOBAL: OnceLock<Telemetry> = OnceLock::new();

thread_local! {
    static ENTERED: RefCell<Option<Telemetry>> = const { RefCell::new(None) };
}

/// Makes `telemetry` the process's; `false` when there is one already.
pub(crate) fn install(telemetry: Telemetry) -> bool {
    GLOBAL.set(telemetry).is_ok()
}

/// Calls `f` with the telemetry in force, if any.
pub(crate) fn with<R>(f: impl FnOnce(Option<&Telemetry>) -> R) -> R {
    ENTERED.with_borrow(|entered| f(entered.as_ref().or_else(|| GLOBAL.get())))
}

/// The trace that the current code works for: 32 lower-case hex digits. `None` outside a request or span.
///
/// A request has one whether it is sampled or not.
pub fn current_trace_id() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span();
        let span_context = span.span_context();
        span_context.is_valid().then(|| span_context.trace_id().to_string())
    })
}

/// While it lives, one [`Telemetry`] is in force on this thread alone. For tests on a current-thread runtime.
#[derive(Debug)]
#[must_use = "the telemetry is in force until this is dropped"]
pub struct Entered {
    previous: Option<Telemetry>,
    _subscriber: tracing::subscriber::DefaultGuard,
    /// It belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

impl Entered {
    pub(crate) fn new(telemetry: Telemetry) -> Self {
        let subscriber = tracing::dispatcher::set_default(telemetry.dispatch());
        Self { previous: ENTERED.replace(Some(telemetry)), _subscriber: subscriber, _not_send: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let ended = ENTERED.replace(self.previous.take());
        // Outside the borrow: the last handle may end spans.
        drop(ended);
    }
}
