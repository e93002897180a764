//! `msctl down`: ends what `msctl up` runs, and removes its state.

use std::time::Duration;

use ::local::Kind;
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
    let local = platform::local_project(globals)?;
    let work = Box::pin(down(&local, &args, printer));
    Interrupt::listen()?.or("ending the services; that goes on in `msctl up`", work).await
}

async fn down(local: &Local, args: &DownArgs, printer: &Printer) -> Result<ExitCode, Error> {
    let (name, folder) = (&local.project().name, local.state());
    let running = Running::read(&folder);
    let ended = match &running {
        // One that was killed left the file, and answers no more.
        Some(_) => stop(local, printer).await?,
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

/// False when nobody was there to be told.
async fn stop(local: &Local, printer: &Printer) -> Result<bool, Error> {
    let client = local.client()?;
    if client.info().await.is_err_and(|error| error.next.iter().any(|next| next == "msctl up")) {
        return Ok(false);
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
    outcome?;
    Ok(true)
}
