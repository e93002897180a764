//! `msctl call`: one request through cluster DNS; the answer's body on stdout, byte for byte.

mod body;
mod dialer;
mod exchange;
mod follow;
pub(super) mod hops;
mod prefer;
mod refused;
mod request;
mod root;
mod route;
mod sink;

use std::time::Instant;

use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio_util::task::AbortOnDropHandle;

use crate::cli::{Globals, call::CallArgs};
use crate::collector::{self, Jaeger};
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::output::patient::GRACE;
use crate::platform::Platform;
use crate::telemetry::{self, Sampling};
use crate::trace::Delivery;
use crate::way::{self, Patience};
use exchange::Exchanged;
use follow::{Ending, Follow, Kept};
use hops::{Bound, Expected};
use request::Outgoing;
use root::Root;
use route::Route;
use sink::Sink;

pub(crate) async fn run(args: CallArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let asked_jaeger = args.way.jaeger.as_deref().map(collector::place).transpose()?;
    let mut interrupt = Interrupt::listen()?;
    // The body's time is the call's.
    let patience = Patience::new(format!("calling {}", args.target), args.timeout);
    let outgoing = way::bounded(&patience, &mut interrupt, Outgoing::from_args(&args, &patience.stage)).await?;
    printer.deadline().is(patience.deadline());
    if let Some(path) = &args.output_file {
        let next = "--output-file with a file, or with a pipe that somebody reads";
        patience.stage.is_until("opening the file for the body", next);
        patience.stage.place(path.display().to_string());
    }
    let opening = Sink::open(args.output_file.as_deref(), printer);
    let mut sink = way::bounded(&patience, &mut interrupt, opening).await?;
    let asked = telemetry::start(if args.trace { Sampling::Always } else { Sampling::Environment })?;
    let root = Root::start(&outgoing);

    let platform = Platform::choose(globals, printer)?;
    let route = Route { args: &args, platform: &platform, printer, asked_jaeger, asked, sampled: root.is_sampled() };
    let outcome = result(&route, outgoing, &root, &patience, &mut interrupt, &mut sink).await;
    let expected = root.end(outcome.as_ref().err());
    let answered = outcome.map_err(|error| platform.within(error))?;

    let failed = answered.failure.is_some() || answered.status.as_u16() >= 400;
    if args.trace {
        printer.deadline().is(Instant::now() + args.trace_timeout);
        printer.text(sink.gap_below())?;
        let expected = expected.map(|expected| expected.with(answered.delivery));
        let shown = show_trace(expected, &args, answered.jaeger, answered.place, printer);
        let shown = interrupt.or("waiting for the trace", shown).await.map_err(|error| match expected {
            // Its spans go on arriving.
            Some(Expected { trace, .. }) if error.code() == ExitCode::Interrupted => {
                error.next(format!("msctl trace {trace}"))
            }
            _ => error,
        });
        let shown = shown.map_err(|error| patience.stage.within(error));
        match shown {
            // What the service answered matters more to a script than that nobody can show the way there.
            Err(error) if failed && error.code() != ExitCode::Interrupted => printer.error(&error),
            shown => shown?,
        }
    }
    match answered.failure {
        Some(failure) => Err(patience.stage.within(failure)),
        None => Ok(if failed { ExitCode::CalleeFailed } else { ExitCode::Done }),
    }
}

/// A call whose result has been printed.
struct Answered {
    status: StatusCode,
    /// What became of a message that was followed, when that is an error.
    failure: Option<Error>,
    delivery: Delivery,
    jaeger: AbortOnDropHandle<Jaeger>,
    place: hops::Place,
}

/// Makes the call within its time, and prints what it led to.
async fn result(
    route: &Route<'_>,
    outgoing: Outgoing,
    root: &Root,
    patience: &Patience,
    interrupt: &mut Interrupt,
    sink: &mut Sink<'_>,
) -> Result<Answered, Error> {
    let mut kept = Kept::default();
    // Large, and once a process.
    let call = Box::pin(answer(route, outgoing, patience, sink, &mut kept));
    let outcome = way::bounded(patience, interrupt, root.run(call)).await;
    // What was kept until now is to be had also when the time is over.
    route.printer.deadline().is(Instant::now().max(patience.deadline()) + GRACE);
    let printed = kept.print(sink, route.args.include);
    let answered = outcome.map_err(|error| kept.explain(error))?;
    printed?;
    let failure = (answered.delivery == Delivery::GivenUp).then(|| kept.dead());
    Ok(Answered { failure, ..answered })
}

/// Opens the way, sends the request, prints the answer as it comes; what is followed is held back until its end.
async fn answer(
    route: &Route<'_>,
    outgoing: Outgoing,
    patience: &Patience,
    sink: &mut Sink<'_>,
    kept: &mut Kept,
) -> Result<Answered, Error> {
    let (mut open, mut voice) = route.open(&outgoing, patience).await?;
    let Exchanged { response, line } = exchange::send(&mut open, &mut voice, &outgoing, route, &patience.stage).await?;
    let (head, mut body) = response.into_parts();
    let status = head.status;
    let not_applied = prefer::not_applied(&head).filter(|_| route.args.asynchronous);
    let note = |text: &str| route.printer.note(&format!("{} {text}", route.args.target));
    voice.stage(format!("reading the answer of {}", route.args.target));
    let mut delivery = Delivery::Unknown;
    if route.args.follow && status.as_u16() < 400 {
        let bytes = body.bytes(follow::LARGEST).await.map_err(|cause| exchange::unread(&cause, &open, &outgoing))?;
        kept.begin(head, bytes);
        not_applied.as_deref().into_iter().for_each(note);
        let follow = Follow { route, open: &open, line: &line, stage: &patience.stage };
        delivery = match voice.over(follow.run(&outgoing, kept)).await? {
            Ending::Delivered => Delivery::Arrived,
            Ending::Dead => Delivery::GivenUp,
        };
    } else {
        sink.begin()?;
        if route.args.include {
            sink.write(&sink::head(&head))?;
        }
        let mut received: u64 = 0;
        let failed = status.as_u16() >= 400;
        let mut said = Vec::new();
        while !sink.closed() {
            // Without the voice: what it says would stand in the middle of the body's line.
            let Some(frame) = body.frame().await else { break };
            let frame = frame.map_err(|cause| exchange::broken_off(&cause, received, &open, &outgoing))?;
            let Ok(data) = frame.into_data() else { continue };
            received += data.len() as u64;
            let room = if failed { refused::READ.saturating_sub(said.len()) } else { 0 };
            said.extend_from_slice(&data[..data.len().min(room)]);
            sink.write(&data)?;
        }
        sink.end()?;
        not_applied.as_deref().into_iter().for_each(note);
        if failed {
            route.printer.error(&refused::error(&route.args.target, status, &said, &open, &outgoing));
        }
    }
    let place = hops::Place { connector: open.connector, way: open.way };
    Ok(Answered { status, failure: None, delivery, jaeger: open.jaeger, place })
}

/// Exports our own spans, then prints the tree: all of it within `--trace-timeout`.
async fn show_trace(
    expected: Option<Expected>,
    args: &CallArgs,
    jaeger: AbortOnDropHandle<Jaeger>,
    place: hops::Place,
    printer: &Printer,
) -> Result<(), Error> {
    let Some(expected) = expected else {
        return Err(Error::new(ExitCode::Failed, "the call was answered, but it has no trace")
            .why("its spans were not recorded")
            .next("msctl trace SERVICE shows the latest of a service"));
    };
    let bound = Bound::from_now(args.trace_timeout);
    let jaeger = bound.over(jaeger).await.and_then(Result::ok).unwrap_or_else(Jaeger::guess);
    let exported = telemetry::send(bound.left()).await;
    hops::print(expected, &jaeger, place, bound, printer).await?;
    // Where there is no Jaeger at all, that has been said.
    if let Err(reason) = exported {
        printer.warning(&format!("the spans of msctl itself were not exported: {reason}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
