//! `msctl deploy`: values to what should run, and a wait until it does or can't.

mod report;

#[cfg(test)]
mod tests;

pub(crate) use self::report::{Action, ObjectReport, Preview, Report, RolloutReport, ServiceReport};
use crate::cli::Globals;
use crate::cli::deploy::DeployArgs;
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::platform::{Deployed, Platform};

pub(crate) async fn run(args: DeployArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let platform = Platform::choose(globals, printer)?;
    deploy(&platform, &args, printer).await.map_err(|error| platform.within(error))
}

async fn deploy(platform: &Platform, args: &DeployArgs, printer: &Printer) -> Result<ExitCode, Error> {
    let wanted = platform.wanted(&args.services, &args.values)?;
    let format = args.output.format;
    if let Some(dry_run) = args.dry_run {
        platform.preview(&wanted, dry_run, args, printer).await?.print(printer, format)?;
        return Ok(ExitCode::Done);
    }
    let told = |service: &ServiceReport| service.print_objects(printer, format, "");
    let Deployed { namespace, outcome } = platform.deploy(&wanted, args, printer, &told).await?;
    let whole = outcome.failed.is_none();
    outcome.end(|services| Report::new(namespace, services).print(printer, format, whole))
}
