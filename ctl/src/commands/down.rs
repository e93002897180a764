//! `msctl down`: ends what `msctl up` runs, and removes its state.

use std::time::Duration;

use ::local::Kind;
use ::local::control::Client;
use ::local::state::{self, Keep, Running};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::cli::Globals;
use crate::cli::down::DownArgs;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::local::Local;
use crate::output::Printer;
use crate::platform;

/// For the process of `up` to end once all that it ran has.
const MOMENT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
const QUEUE: usize = 256;

pub(crate) async fn run(args: DownArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let local = match platform::local_project(globals) {
        Ok(local) => local,
        Err(error) => {
            // What was started from it can be ended without it.
            let Some(left) = platform::left_behind(globals) else { return Err(error) };
            printer.warning(&format!("{}; what it started is ended all the same", error.in_a_line()));
            left
        }
    };
    let work = Box::pin(down(&local, &args, printer));
    let outcome = Interrupt::listen()?.or("ending the services; that goes on in `msctl up`", work).await;
    outcome.map_err(|error| error.or_place(local.place()).next_if_interrupted("msctl status --local"))
}

async fn down(local: &Local, args: &DownArgs, printer: &Printer) -> Result<ExitCode, Error> {
    let (name, folder) = (&local.project().name, local.state());
    let running = Running::read(&folder);
    let ended = match &running {
        Some(running) => stop(running, printer).await?,
        None => false,
    };
    let keep = if args.volumes { Keep::Nothing } else { Keep::Data };
    let until = Instant::now() + MOMENT;
    let removed = loop {
        match state::remove(&folder, keep).await {
            Err(error) if error.kind == Kind::Conflict && ended && Instant::now() < until => sleep(PAUSE).await,
            removed => break removed?,
        }
    };
    // Its last words may take a moment; whoever is told that it is down may want its ports and its files.
    while let Some(running) = running.as_ref().filter(|_| ended)
        && is_alive(running.pid)
        && Instant::now() < until
    {
        sleep(PAUSE).await;
    }
    match (ended, removed) {
        (true, _) => printer.line(&format!("{name} is down"))?,
        (false, true) => printer.line(&format!("{name} was not up; its state is removed"))?,
        (false, false) => printer.note(&format!("{name} is not up")),
    }
    let data = folder.join("data");
    if data.exists() {
        printer.hint(&format!("{} is kept; msctl down --volumes removes it too", data.display()));
    }
    Ok(ExitCode::Done)
}

/// A process that has ended, and that its parent has not asked about yet, is not.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // The state comes after the name, which may hold anything.
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// False when nobody was there to be told, or to be waited for.
async fn stop(running: &Running, printer: &Printer) -> Result<bool, Error> {
    let client = Client::from(running.clone());
    match client.info().await {
        // One that was killed left the file; one that somebody else ends has closed its socket.
        Err(error) if error.kind == Kind::NotUp => return Ok(is_alive(running.pid)),
        // It would not hear that it is to stop either.
        Err(error) if error.kind == Kind::TimedOut => return Err(error.into()),
        // One of another version stops all the same.
        Ok(_) | Err(_) => {}
    }
    let (events, mut told) = mpsc::channel(QUEUE);
    let work = client.stop(events);
    tokio::pin!(work);
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut work => break outcome,
            Some(event) = told.recv() => printer.live(vec![event.to_string()]),
        }
    };
    printer.clear_live();
    match outcome {
        // Somebody else has ended it meanwhile.
        Err(error) if !matches!(error.kind, Kind::NotUp | Kind::Stopped) => Err(error.into()),
        Ok(()) | Err(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_nobody_has_asked_about_has_ended_all_the_same() {
        assert!(is_alive(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let until = std::time::Instant::now() + MOMENT;
        while is_alive(child.id()) {
            assert!(std::time::Instant::now() < until);
            std::thread::sleep(PAUSE);
        }
        assert!(std::path::Path::new(&format!("/proc/{}", child.id())).exists());
        child.wait().unwrap();
    }
}
