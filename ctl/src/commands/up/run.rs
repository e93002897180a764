//! The supervisor's life: from the first event to the last.

use std::ffi::OsString;
use std::time::Duration;

use ::local::control::{self, Info};
use ::local::{Event, Kind, ServiceSpec, StateFolder, Supervisor, Up};
use jiff::Timestamp;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::net::Shared;
use super::tell::Teller;
use super::{addresses, explained};
use crate::error::{Aim, Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::local::Local;
use crate::output::Printer;

/// Events on their way to the one who tells them; those that find no place are lost.
const QUEUE: usize = 1024;
/// Between two looks at whether the store of traces is full.
const LOOK: Duration = Duration::from_secs(5);
/// For the last words, when nobody may read them.
const MOMENT: Duration = Duration::from_secs(1);

/// `aim`: how the command line said where it works, for the commands to run next.
pub(super) async fn run(
    local: &Local,
    specs: Vec<ServiceSpec>,
    place: Where,
    aim: Option<&Aim>,
) -> Result<ExitCode, Error> {
    let mut interrupt = match place {
        Where::Terminal => Interrupt::listen()?,
        // It has no terminal that could go away.
        Where::Background => Interrupt::listen_without_hangup()?,
    };
    let mut teller = Teller::start(Printer::of_a_thread(), place)?;
    let outcome = up(local, specs, place, &mut teller, &mut interrupt).await;
    let outcome = outcome.map_err(|error| explained(error, local));
    let code = teller.code(outcome, aim);
    let _ = timeout(MOMENT, teller.finish()).await;
    Ok(code)
}

async fn up(
    local: &Local,
    specs: Vec<ServiceSpec>,
    place: Where,
    teller: &mut Teller,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let project = local.project();
    let folder = local.state();
    // It may have to wait for the end of what was before.
    let opening = async { Ok(StateFolder::open(&folder, &project.name).await?) };
    let state = interrupt.or("starting", opening).await?;
    let listener = UnixListener::from_std(state.listen()?)
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

    let mut living = Living { supervisor, shared, teller, began, place };
    let outcome = tokio::select! {
        ended = &mut ended => match ended {
            Ok(()) => {
                living.teller.note("ended by msctl down");
                Ok(ExitCode::Done)
            }
            Err(error) => Err(error.into()),
        },
        outcome = living.live(&mut told, interrupt) => match living.stop(&mut told, interrupt).await {
            // At once: the guard ends what is left.
            Stopped::Impatiently => return outcome,
            Stopped::Orderly => tokio::select! {
                biased;
                () = interrupt.insisted() => return outcome,
                ended = &mut ended => match (outcome, ended) {
                    (Ok(_), Err(error)) => Err(error.into()),
                    (outcome, _) => outcome,
                },
            },
        },
    };
    // Answers that are on their way: to `msctl down`, above all.
    stop.cancel();
    let _ = served.await;
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
    teller: &'a mut Teller,
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
    async fn live(&mut self, told: &mut mpsc::Receiver<Event>, interrupt: &mut Interrupt) -> Result<ExitCode, Error> {
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        let mut dropped = 0;
        let supervisor = self.supervisor.clone();
        let mut started = Box::pin(supervisor.started());
        let mut is_started = false;
        loop {
            tokio::select! {
                biased;
                _ = interrupt.signalled() => return Ok(ExitCode::Interrupted),
                Some(event) = told.recv() => self.teller.note(event.to_string()),
                outcome = &mut started, if !is_started => {
                    is_started = true;
                    match outcome {
                        // Somebody else ends it, and the end of it all says how.
                        Err(error) if error.kind == Kind::Stopped => continue,
                        outcome => outcome?,
                    };
                    // What was said before it stands above it.
                    while let Ok(event) = told.try_recv() {
                        self.teller.note(event.to_string());
                    }
                    self.ready();
                }
                _ = looks.tick() => {
                    self.teller.own_up();
                    if let Some(stats) = self.shared.stats().filter(|stats| stats.traces_dropped > dropped) {
                        dropped = stats.traces_dropped;
                        let spans = stats.spans_dropped;
                        self.teller.note(format!(
                            "traces: memory is full; {dropped} traces with {spans} spans were dropped so far, the oldest first"
                        ));
                    }
                }
            }
        }
    }

    fn ready(&mut self) {
        let took = self.began.elapsed().as_millis();
        match self.place {
            // Whoever started it prints the addresses.
            Where::Background => self.teller.note(format!("ready in {took} ms")),
            Where::Terminal => {
                self.teller.result(addresses(&self.supervisor.status()));
                self.teller.note(format!("ready in {took} ms; Ctrl-C ends it"));
            }
        }
    }

    /// Ends every service, and tells so; a second signal ends that.
    async fn stop(&mut self, told: &mut mpsc::Receiver<Event>, interrupt: &mut Interrupt) -> Stopped {
        // Its events come where all others do.
        let (events, _) = mpsc::channel(1);
        let supervisor = self.supervisor.clone();
        let stopping = supervisor.stop(events);
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                biased;
                () = interrupt.insisted() => return Stopped::Impatiently,
                Some(event) = told.recv() => self.teller.note(event.to_string()),
                () = &mut stopping => return Stopped::Orderly,
            }
        }
    }
}
