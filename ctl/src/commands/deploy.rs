//! `msctl deploy`: values to what should run, and a wait until it does or can't.

mod report;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use self::report::{Action, ObjectReport, Preview, Report, RolloutReport, ServiceReport};
use crate::cli::Globals;
use crate::cli::deploy::DeployArgs;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::Printer;
use crate::platform::{Deployed, Platform};
use crate::wanted::Wanted;

pub(crate) async fn run(args: DeployArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let platform = Arc::new(Platform::choose(globals, printer)?);
    deploy(&platform, &args, printer).await.map_err(|error| platform.within(error))
}

async fn deploy(platform: &Arc<Platform>, args: &DeployArgs, printer: &Printer) -> Result<ExitCode, Error> {
    let since = Instant::now();
    let wanted = wanted(platform, args, since).await?;
    let format = args.output.format;
    if let Some(dry_run) = args.dry_run {
        platform.preview(&wanted, dry_run, args, printer, since).await?.print(printer, format)?;
        return Ok(ExitCode::Done);
    }
    let told = |service: &ServiceReport| service.print_objects(printer, format, "");
    let Deployed { namespace, outcome } = platform.deploy(&wanted, args, printer, &told, since).await?;
    let whole = outcome.failed.is_none();
    outcome.end(|services| Report::new(namespace, services).print(printer, format, whole))
}

/// Files of values may be pipes that nobody writes to: they are read on a thread, which ends with the process.
async fn wanted(platform: &Arc<Platform>, args: &DeployArgs, since: Instant) -> Result<Vec<Wanted>, Error> {
    const WHAT: &str = "reading the values";
    let (owned, services, values) = (platform.clone(), args.services.clone(), args.values.clone());
    let mut reading = AbortOnDropHandle::new(spawn_blocking(move || owned.wanted(&services, &values)));
    let limit = args.wait.timeout;
    let waiting = async {
        match timeout_at(since + limit, &mut reading).await {
            Ok(Ok(wanted)) => wanted,
            Ok(Err(cause)) => Err(Error::new(ExitCode::Failed, format!("{WHAT} failed")).why(cause.to_string())),
            Err(_) => Err(Error::new(ExitCode::TimedOut, format!("{WHAT}: not done within {limit:?}"))
                .why("stdin, or a pipe in place of a file, has not ended")),
        }
    };
    Interrupt::listen()?.or(WHAT, waiting).await.map_err(|error| match error.code() {
        ExitCode::Interrupted | ExitCode::TimedOut => {
            error.place("--values and --set-file").next("msctl deploy SERVICE --values FILE, with one that ends")
        }
        _ => error,
    })
}
