//! `msctl delete`: what deploy made, until it is gone.

use serde::Serialize;

use crate::cli::delete::DeleteArgs;
use crate::cli::{Format, Globals};
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::platform::Platform;

#[cfg(test)]
mod tests;

/// A service that was deleted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deleted {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// `deployment.apps/service-a`
    pub(crate) objects: Vec<String>,
    /// What stays because it holds data: `persistentvolumeclaim/service-a-database`
    pub(crate) kept: Vec<String>,
}

pub(crate) async fn run(args: DeleteArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let platform = Platform::choose(globals, printer)?;
    delete(&platform, &args, printer).await.map_err(|error| platform.within(error))
}

async fn delete(platform: &Platform, args: &DeleteArgs, printer: &Printer) -> Result<ExitCode, Error> {
    platform.delete(args, printer).await?.end(|deleted| print(&deleted, args.output.format, printer))
}

fn print(deleted: &[Deleted], format: Format, printer: &Printer) -> Result<(), Error> {
    match format {
        Format::Json => return printer.json(&deleted),
        Format::Yaml => return printer.yaml(&deleted),
        Format::Table | Format::Wide | Format::Name => {}
    }
    for object in deleted.iter().flat_map(|deleted| &deleted.objects) {
        let verb = if format == Format::Name { "" } else { " deleted" };
        printer.line(&format!("{object}{verb}"))?;
    }
    Ok(())
}
