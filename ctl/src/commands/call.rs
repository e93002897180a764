//! `msctl call`: one request through cluster DNS; the answer's body on stdout, byte for byte.

mod dialer;
mod exchange;
pub(super) mod hops;
mod request;
mod root;
mod route;
mod sink;

use http::StatusCode;
use http_body_util::BodyExt as _;
use reach::Connector;
use tokio_util::task::AbortOnDropHandle;

use crate::cli::{Globals, call::CallArgs};
use crate::collector::{self, Jaeger};
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::telemetry::{self, Sampling};
use crate::way::{self, Patience};
use hops::Bound;
use request::Outgoing;
use root::Root;
use route::Route;
use sink::Sink;

pub(crate) async fn run(args: CallArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let outgoing = Outgoing::from_args(&args)?;
    let asked_jaeger = args.way.jaeger.as_deref().map(collector::place).transpose()?;
    let mut sink = Sink::open(args.output_file.as_deref(), printer)?;
    let mut interrupt = Interrupt::listen()?;
    let asked = telemetry::start(if args.trace { Sampling::Always } else { Sampling::Environment })?;
    let root = Root::start(&outgoing);

    let patience = Patience::new(format!("calling {}", args.target), args.timeout);
    // Large, and once a process.
    let call = Box::pin(async {
        let route = Route { args: &args, globals, printer, asked_jaeger, asked, sampled: root.is_sampled() };
        answer(&route, outgoing, &patience, &mut sink).await
    });
    let outcome = way::bounded(&patience, &mut interrupt, root.run(call)).await;
    let expected = root.end(outcome.as_ref().err());
    let answered = outcome?;

    let failed = answered.status.as_u16() >= 400;
    if args.trace {
        printer.text(sink.gap_below())?;
        let shown = show_trace(expected, &args, answered.jaeger, answered.connector, printer);
        match interrupt.or("waiting for the trace", shown).await {
            // What the service answered matters more to a script than that nobody can show the way there.
            Err(error) if failed && error.code() != ExitCode::Interrupted => printer.error(&error),
            shown => shown?,
        }
    }
    Ok(if failed { ExitCode::CalleeFailed } else { ExitCode::Done })
}

/// A call whose answer has been printed.
struct Answered {
    status: StatusCode,
    jaeger: AbortOnDropHandle<Jaeger>,
    connector: Connector,
}

/// Opens the way, sends the request, prints the answer as it comes.
async fn answer(
    route: &Route<'_>,
    outgoing: Outgoing,
    patience: &Patience,
    sink: &mut Sink<'_>,
) -> Result<Answered, Error> {
    let (mut open, mut voice) = route.open(&outgoing, patience).await?;
    let response = exchange::send(&mut open, &mut voice, &outgoing, route).await?;
    let (head, mut body) = response.into_parts();
    sink.begin()?;
    if route.args.include {
        sink.write(&sink::head(&head))?;
    }
    voice.stage(format!("reading the answer of {}", route.args.target));
    let mut received: u64 = 0;
    while !sink.closed() {
        // Without the voice: what it says would stand in the middle of the body's line.
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|cause| exchange::broken_off(&cause, received))?;
        let Ok(data) = frame.into_data() else { continue };
        received += data.len() as u64;
        sink.write(&data)?;
    }
    sink.end()?;
    if head.status.as_u16() >= 400 {
        route.printer.note(&format!("{} answered {}", route.args.target, head.status));
    }
    Ok(Answered { status: head.status, jaeger: open.jaeger, connector: open.connector })
}

/// Exports our own spans, then prints the tree: all of it within `--trace-timeout`.
async fn show_trace(
    expected: Option<hops::Expected>,
    args: &CallArgs,
    jaeger: AbortOnDropHandle<Jaeger>,
    connector: Connector,
    printer: &Printer,
) -> Result<(), Error> {
    let Some(expected) = expected else {
        return Err(Error::new(ExitCode::Failed, "the call was answered, but it has no trace"));
    };
    let bound = Bound::from_now(args.trace_timeout);
    let jaeger = bound.over(jaeger).await.and_then(Result::ok).unwrap_or_else(Jaeger::guess);
    let exported = telemetry::send(bound.left()).await;
    hops::print(expected, &jaeger, connector, bound, printer).await?;
    // Where there is no Jaeger at all, that has been said.
    if let Err(reason) = exported {
        printer.warning(&format!("the spans of msctl itself were not exported: {reason}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
