//! `--trace`: waits until the trace of a call has arrived in full, and prints it.

use std::time::Duration;

use reach::{Connector, DialError};
use tokio::time::{Instant, sleep, timeout_at};

use crate::collector::{Jaeger, Source};
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::trace::{Delivery, Gap, Known, QueryApi, QueryError, Screen, SpanId, TraceId, Tree, gaps, render};
use crate::way::Way;

/// Between two questions to Jaeger: at first, and after a while.
const PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A wait that takes longer than this is spoken of.
const SILENCE: Duration = Duration::from_secs(1);
/// Who has sent no span by then, for this or any other trace, is not waited for: services export every second or so.
const MUTE: Duration = Duration::from_secs(2);

/// The trace of one call, as msctl knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) trace: TraceId,
    pub(super) root: SpanId,
    /// The span of whoever ran msctl, when a `traceparent` header named one: it lies outside.
    pub(super) outside: Option<SpanId>,
    /// What is known of the message that the call brought about.
    pub(super) delivery: Delivery,
}

impl Expected {
    pub(super) fn with(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    fn known(self) -> Known {
        Known { root: Some(self.root), outside: self.outside, delivery: self.delivery }
    }
}

/// `--trace-timeout`: one bound for everything that is done to show a trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    within: Duration,
    deadline: Instant,
}

impl Bound {
    pub(super) fn from_now(within: Duration) -> Self {
        Self { within, deadline: Instant::now() + within }
    }

    pub(super) fn left(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// `work`, unless the time is over first.
    pub(super) async fn over<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.deadline, work).await.ok()
    }
}

/// From where Jaeger is asked.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) connector: Connector,
    pub(super) way: Way,
}

/// What has arrived, and what has not.
struct Arrived {
    tree: Tree,
    gaps: Vec<Gap>,
    /// The one service that has not told its part, where it tells of nothing: its traces are those of its callers.
    mute: Option<String>,
}

impl Arrived {
    fn of(tree: Tree, gaps: Vec<Gap>) -> Self {
        Self { tree, gaps, mute: None }
    }

    /// The service whose part is all that is missing.
    fn missing(&self) -> Option<&str> {
        match self.gaps.as_slice() {
            [Gap::Receiver { to: Some(host), .. }] => host.split('.').next(),
            _ => None,
        }
    }
}

/// Prints the tree on stdout, below the body; what is missing on stderr.
pub(super) async fn print(
    expected: Expected,
    jaeger: &Jaeger,
    place: Place,
    bound: Bound,
    printer: &Printer,
) -> Result<(), Error> {
    let api = QueryApi::new(place.connector, jaeger.query());
    let tree = print_from(expected, jaeger, &api, place.way.namespace(), bound, printer).await;
    tree.map_err(|error| error.or_place(place.way.place()))
}

async fn print_from(
    expected: Expected,
    jaeger: &Jaeger,
    api: &QueryApi<Connector>,
    namespace: &str,
    bound: Bound,
    printer: &Printer,
) -> Result<(), Error> {
    let arrived = wait(expected, api, bound, printer).await;
    printer.clear_live();
    let arrived = arrived.map_err(|cause| unavailable(&cause, expected.trace, jaeger, namespace))?;
    printer.text(&render(&arrived.tree, Screen::of_stdout(printer.colour().stdout)))?;
    if let Some(mute) = arrived.mute {
        printer.note(&format!("{mute} has sent no spans so far: what is shown of it is its caller's"));
    } else if !arrived.gaps.is_empty() {
        printer.warning(&format!("the trace is not whole after {:?}", bound.within));
        for gap in &arrived.gaps {
            printer.note(&format!("  {gap}"));
        }
        printer.hint(&format!("spans may still be on their way: msctl trace {}", expected.trace));
    }
    Ok(())
}

/// Asks until the trace is whole or the time is over; whatever has arrived then is the result.
async fn wait(
    expected: Expected,
    api: &QueryApi<Connector>,
    bound: Bound,
    printer: &Printer,
) -> Result<Arrived, QueryError> {
    let began = Instant::now();
    let mut pause = PAUSE;
    let mut best: Option<Arrived> = None;
    let mut last_error = None;
    let mut asked_who = false;
    loop {
        match bound.over(api.trace(expected.trace)).await {
            Some(Ok(found)) => {
                let tree = found.map_or_else(|| Tree::empty(expected.trace), Tree::build);
                let gaps = gaps(&tree, expected.known());
                let whole = gaps.is_empty();
                last_error = None;
                let mut arrived = Arrived::of(tree, gaps);
                if began.elapsed() > MUTE && !asked_who {
                    asked_who = true;
                    arrived.mute = mute(&arrived, api, bound).await;
                }
                let done = whole || arrived.mute.is_some();
                best = Some(arrived);
                if done {
                    break;
                }
            }
            Some(Err(error)) if is_final(&error) => return Err(error),
            Some(Err(error)) => last_error = Some(error),
            None => break,
        }
        if bound.left() <= pause {
            break;
        }
        if began.elapsed() > SILENCE {
            printer.live(vec![progress(best.as_ref())]);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    match (best, last_error) {
        // Nothing at all is no tree: then the reason, if there is one, says more.
        (Some(arrived), None) => Ok(arrived),
        (Some(arrived), Some(_)) if !arrived.tree.rows.is_empty() => Ok(arrived),
        (_, Some(error)) => Err(error),
        (None, None) => Ok(Arrived::of(Tree::empty(expected.trace), vec![Gap::Empty])),
    }
}

/// The service whose part alone is missing, when nobody has ever had a span of it.
async fn mute(arrived: &Arrived, api: &QueryApi<Connector>, bound: Bound) -> Option<String> {
    let service = arrived.missing()?;
    let known = bound.over(api.services()).await?.ok()?;
    (!known.iter().any(|name| name == service)).then(|| service.to_owned())
}

fn progress(best: Option<&Arrived>) -> String {
    match best.and_then(|arrived| arrived.gaps.first()) {
        Some(gap) => format!("waiting for the trace: {gap}"),
        None => "waiting for the trace".to_owned(),
    }
}

/// No repetition helps: nobody is there, or it is not Jaeger.
fn is_final(error: &QueryError) -> bool {
    match error {
        QueryError::Unreachable { source, .. } => DialError::find(source).is_some_and(|dial| {
            !matches!(dial, DialError::Lost { .. } | DialError::TimedOut { .. } | DialError::Overloaded { .. })
        }),
        QueryError::Broken { .. } | QueryError::Absent { .. } => false,
        QueryError::Refused { status, .. } => !status.is_server_error(),
        QueryError::TooLarge { .. }
        | QueryError::Foreign { .. }
        | QueryError::Id { .. }
        | QueryError::Address { .. } => true,
    }
}

/// The call was answered, its trace can't be shown.
fn unavailable(cause: &QueryError, trace: TraceId, jaeger: &Jaeger, namespace: &str) -> Error {
    let what = format!("the call was answered, but its trace {trace} cannot be shown");
    explain(Error::new(ExitCode::Failed, what), cause, jaeger, namespace)
}

/// Adds to an error why Jaeger did not answer, and what to do about it; `namespace` is where it was looked for.
pub(in crate::commands) fn explain(error: Error, cause: &QueryError, jaeger: &Jaeger, namespace: &str) -> Error {
    let dial = match cause {
        QueryError::Unreachable { source, .. } => DialError::find(source),
        _ => None,
    };
    let error = match dial {
        Some(dial) => error.why(format!("{cause}: {dial}")),
        None => error.caused_by(cause),
    };
    let asked = match jaeger.source {
        Source::Asked => "as --jaeger or MSCTL_JAEGER says",
        Source::Environment => "as the environment in msctl.yaml says",
        Source::Up => "which `msctl up` answers for",
        Source::Deployment => "where the service sends its spans",
        Source::Guess => "where the demo chart has it, since nothing says otherwise",
    };
    let error = error.why(format!("Jaeger was looked for at {}, {asked}", jaeger.name()));
    match dial {
        _ if jaeger.source == Source::Up => error
            .next("OTEL_EXPORTER_OTLP_ENDPOINT and MSCTL_JAEGER of `msctl up` say where it is; without them it keeps traces itself"),
        Some(DialError::NotFound { .. }) => error
            .next("--jaeger NAME[.NAMESPACE], or MSCTL_JAEGER, if it is elsewhere")
            .next(format!(
                "msctl deploy jaeger -n {namespace} brings one; a service sends it spans with --set telemetry.endpoint=http://jaeger:4318"
            )),
        _ => error.next("--jaeger NAME[.NAMESPACE][:PORT] names another; msctl status says how this one is"),
    }
}

#[cfg(test)]
#[path = "hops_tests.rs"]
mod tests;
