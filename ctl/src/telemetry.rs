//! msctl's own spans: what they are, where they go, and the flush on every way out.
//!
//! A call is an INTERNAL root span, `msctl call`, from the first step to the body's last byte, with one CLIENT span
//! below it for each attempt at the request (made by `upstream`). The conventions want both: a program that traces
//! itself is an INTERNAL span, and every resend is a CLIENT span of its own, so a retried call has no single CLIENT
//! span that could be its root. It also shows what is ours: the gap before the first CLIENT span is the way there.
//! <https://opentelemetry.io/docs/specs/semconv/cli/cli-spans/>,
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-request-retries-and-redirects>
//!
//! Where spans go is known only once the call is under way (`collector`), so the exporter's transport waits for it.

mod transport;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::telemetry::{Batch, Identity, Logs, Sampler, Settings, Telemetry, traces_endpoint};

use crate::error::Error;
use crate::output::Printer;
pub(crate) use transport::Export;
use transport::Transport;

/// How long the way out of msctl may take for the sake of spans, after the body was printed.
const FLUSH_AT_MOST: Duration = Duration::from_secs(1);
/// Longer than a call: its spans go out together, at the flush.
const TOGETHER: Duration = Duration::from_secs(30);

static OURS: OnceLock<Ours> = OnceLock::new();

struct Ours {
    telemetry: Telemetry,
    transport: Arc<Transport>,
    /// Somebody has been told how an export went; totals since the start would tell it again.
    told: AtomicBool,
}

/// Who decides whether a call's trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// `OTEL_TRACES_SAMPLER` and `OTEL_SDK_DISABLED`.
    Environment,
    /// It is: the person asked to see it.
    Always,
}

/// What the standard variables ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, as the full URL for traces: an address as seen from here.
    pub(crate) endpoint: Option<String>,
}

/// The error for variables that can't be used.
fn unusable() -> Error {
    Error::usage("cannot set up tracing")
        .place("the environment's variables OTEL_…")
        .next("set the variable to what is allowed, or unset it")
}

/// Sets up the telemetry of this process. To be called once, inside the runtime; without it there are no spans.
pub(crate) fn start(sampling: Sampling) -> Result<Asked, Error> {
    let settings =
        Settings::from_env(|name| std::env::var(name).ok()).map_err(|cause| unusable().why(cause.to_string()))?;
    let asked = Asked { endpoint: settings.endpoint.clone() };
    let transport = Arc::new(Transport::default());
    let identity = Identity { service_name: "msctl", service_version: env!("CARGO_PKG_VERSION") };
    let telemetry = ::telemetry::init_with_http_client(identity, adapt(settings, sampling), transport.clone())
        .map_err(|cause| unusable().caused_by(&cause))?;
    // Only the first set counts, and there is no other: `init` refuses a second time.
    let _ = OURS.set(Ours { telemetry, transport, told: AtomicBool::new(false) });
    Ok(asked)
}

fn adapt(settings: Settings, sampling: Sampling) -> Settings {
    let always = sampling == Sampling::Always;
    Settings {
        tracing: settings.tracing || always,
        sampler: if always { Sampler::AlwaysOn } else { settings.sampler },
        // The transport puts the real one in its place; without any, nothing would be recorded.
        endpoint: Some(traces_endpoint("http://collector")),
        batch: Batch { schedule_delay: TOGETHER, export_timeout: FLUSH_AT_MOST, ..settings.batch },
        logs: Logs::off(),
        ..settings
    }
}

/// Says where spans go; `None`: nowhere. Until it is called, an export waits.
pub(crate) fn export_to(export: Option<Export>) {
    if let Some(ours) = OURS.get() {
        ours.transport.decide(export);
    }
}

/// Sends what has ended so far; an error says why spans were lost, and is the caller's to tell.
pub(crate) async fn send(deadline: Duration) -> Result<(), String> {
    let Some(ours) = OURS.get() else { return Ok(()) };
    ours.told.store(true, Ordering::Relaxed);
    let report = ours.telemetry.flush(deadline).await;
    match ours.transport.failure().map(|failure| failure.message).or(report.error) {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// Exports what is still held, within a bound; says when spans were lost. Nothing to do when no span was made.
///
/// A collector that nobody asked for may well not exist: then nothing is said.
pub(crate) async fn flush(printer: &Printer) {
    let Some(ours) = OURS.get() else { return };
    // A command that ended before it knew where to export to does not wait for it now.
    ours.transport.decide_if_open();
    let told = ours.told.load(Ordering::Relaxed);
    let sent = send(FLUSH_AT_MOST).await;
    let expected = ours.transport.failure().is_none_or(|failure| failure.worth_saying);
    if let Err(reason) = sent
        && expected
        && !told
        && ours.transport.has_destination()
    {
        printer.warning(&format!("the spans of this command were not exported: {reason}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_asks_for_its_trace_is_always_sampled() {
        let disabled = || Settings { tracing: false, sampler: Sampler::AlwaysOff, ..Settings::default() };
        let always = adapt(disabled(), Sampling::Always);
        assert!(always.tracing && matches!(always.sampler, Sampler::AlwaysOn));
        let as_set = adapt(disabled(), Sampling::Environment);
        assert!(!as_set.tracing && matches!(as_set.sampler, Sampler::AlwaysOff));
    }

    #[tokio::test]
    async fn a_command_without_spans_flushes_nothing_and_says_nothing() {
        let (printer, out, err) = crate::output::tests::captured();
        flush(&printer).await;
        assert_eq!((out.text(), err.text()), (String::new(), String::new()));
    }
}
