//! The supervisor's life: from the first event to the last.

use std::ffi::OsString;
use std::time::Duration;

use ::local::control::{self, Info};
use ::local::{Event, ServiceSpec, StateFolder, Supervisor, Up};
use jiff::Timestamp;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use super::addresses;
use super::net::Shared;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::local::Local;
use crate::output::Printer;

/// Events on their way to the terminal; those that find no place are lost.
const QUEUE: usize = 1024;
/// Between two looks at whether the store of traces is full.
const LOOK: Duration = Duration::from_secs(5);

pub(super) async fn run(
    local: &Local,
    specs: Vec<ServiceSpec>,
    place: Where,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let mut interrupt = Interrupt::listen()?;
    let project = local.project();
    let folder = local.state();
    // It may have to wait for the end of what was before.
    let opening = async { Ok(StateFolder::open(&folder, &project.name).await?) };
    let state = interrupt.or("starting", opening).await?;
    let listener = state.listen()?;
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(listener))
        .map_err(|cause| Error::new(ExitCode::Failed, "cannot listen on the control socket").why(cause.to_string()))?;
    let shared = Shared::start(&project.name).await?;
    let (events, mut told) = mpsc::channel(QUEUE);
    let guard = guard()?;
    let telemetry = shared.telemetry.clone();
    let info = Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        namespace: project.name.clone(),
        project: project.file.clone(),
        since: Timestamp::now(),
        proxy: shared.net.proxy,
        telemetry: telemetry.endpoint.clone(),
    };
    let up = Up { namespace: project.name.clone(), state, specs, guard, telemetry };
    let starting = Supervisor::start(up, shared.net.clone(), events.clone());
    let (supervisor, mut ended) = interrupt.or("starting", async { Ok(Box::pin(starting).await?) }).await?;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    // Tells others how it goes while we do.
    let served =
        tokio::spawn(control::serve(listener, supervisor.clone(), shared.net.names.clone(), info, stop.clone()));

    let living = Living { supervisor, shared, printer, began, place };
    let outcome = tokio::select! {
        ended = &mut ended => ended.map(|()| ExitCode::Done).map_err(Error::from),
        outcome = living.live(&mut told, &mut interrupt) => {
            let stopping = living.stop(&mut told, &mut interrupt).await;
            match stopping {
                // At once: the guard ends what is left.
                Stopped::Impatiently => return outcome,
                Stopped::Orderly => {
                    let _ = (&mut ended).await;
                    outcome
                }
            }
        }
    };
    // Answers that are on their way: to `msctl down`, above all.
    stop.cancel();
    let _ = served.await;
    printer.clear_live();
    outcome
}

/// This binary's hidden verb.
fn guard() -> Result<Vec<OsString>, Error> {
    let own = std::env::current_exe().map_err(|cause| {
        Error::new(ExitCode::Failed, "cannot find msctl's own binary, which keeps watch over the services")
            .why(cause.to_string())
    })?;
    Ok(vec![own.into_os_string(), "guard".into()])
}

/// Who reads what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Terminal,
    Background,
}

struct Living<'a> {
    supervisor: Supervisor,
    shared: Shared,
    printer: &'a Printer,
    began: Instant,
    place: Where,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Orderly,
    Impatiently,
}

impl Living<'_> {
    /// Until somebody wants it to end, or it could not even start.
    async fn live(&self, told: &mut mpsc::Receiver<Event>, interrupt: &mut Interrupt) -> Result<ExitCode, Error> {
        let mut hangup = signal(SignalKind::hangup())
            .map_err(|cause| Error::new(ExitCode::Failed, "cannot listen for SIGHUP").why(cause.to_string()))?;
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        let mut dropped = 0;
        let mut started = Box::pin(self.supervisor.started());
        let mut is_started = false;
        loop {
            tokio::select! {
                biased;
                () = interrupt.signalled() => return Ok(ExitCode::Interrupted),
                // The terminal is gone.
                _ = hangup.recv() => return Ok(ExitCode::Interrupted),
                Some(event) = told.recv() => self.printer.note(&event.to_string()),
                outcome = &mut started, if !is_started => {
                    outcome?;
                    is_started = true;
                    // What was said before it stands above it.
                    while let Ok(event) = told.try_recv() {
                        self.printer.note(&event.to_string());
                    }
                    self.ready()?;
                }
                _ = looks.tick() => {
                    let stats = self.shared.stats();
                    if stats.traces_dropped > dropped {
                        dropped = stats.traces_dropped;
                        let spans = stats.spans_dropped;
                        self.printer.note(&format!(
                            "traces: memory is full; {dropped} traces with {spans} spans were dropped so far, the oldest first"
                        ));
                    }
                }
            }
        }
    }

    fn ready(&self) -> Result<(), Error> {
        let took = self.began.elapsed().as_millis();
        match self.place {
            // Whoever started it prints the addresses.
            Where::Background => self.printer.note(&format!("ready in {took} ms")),
            Where::Terminal => {
                self.printer.text(&addresses(&self.supervisor.status()))?;
                self.printer.note(&format!("ready in {took} ms; Ctrl-C ends it"));
            }
        }
        Ok(())
    }

    /// Ends every service, and tells so; a second signal ends that.
    async fn stop(&self, told: &mut mpsc::Receiver<Event>, interrupt: &mut Interrupt) -> Stopped {
        // Its events come where all others do.
        let (events, _) = mpsc::channel(1);
        let stopping = self.supervisor.stop(events);
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                biased;
                () = interrupt.signalled() => return Stopped::Impatiently,
                Some(event) = told.recv() => self.printer.note(&event.to_string()),
                () = &mut stopping => return Stopped::Orderly,
            }
        }
    }
}
