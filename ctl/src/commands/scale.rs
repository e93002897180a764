//! `msctl scale`: how many replicas, or the bounds of what decides that; and a wait until they are ready.

use serde::Serialize;

use crate::cli::scale::ScaleArgs;
use crate::cli::{Format, Globals};
use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::platform::Platform;

#[cfg(test)]
mod tests;

/// A service that was scaled.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scaled {
    /// As `-o name` has it: `deployment.apps/service-a`
    #[serde(skip)]
    pub(crate) object: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Replicas asked for before and now; an autoscaler's bounds when it has one.
    pub(crate) before: i32,
    #[serde(flatten)]
    pub(crate) now: Now,
    /// Ready ones at the end; none when it was not waited for.
    pub(crate) ready: Option<i32>,
    pub(crate) milliseconds: u128,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(crate) enum Now {
    Replicas { replicas: i32 },
    Bounds { min: i32, max: i32 },
}

pub(crate) async fn run(args: ScaleArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    if let (Some(min), Some(max)) = (args.min, args.max)
        && min > max
    {
        let namespace = globals.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
        return Err(Error::usage("cannot scale between these bounds")
            .why(format!("--min {min} is more than --max {max}"))
            .next(format!("msctl scale {}{namespace} --min {max} --max {min}", args.services.join(" "))));
    }
    let platform = Platform::choose(globals, printer)?;
    scale(&platform, &args, printer).await.map_err(|error| platform.within(error))
}

async fn scale(platform: &Platform, args: &ScaleArgs, printer: &Printer) -> Result<ExitCode, Error> {
    platform.scale(args, printer).await?.end(|scaled| print(&scaled, args.output.format, printer))
}

fn print(scaled: &[Scaled], format: Format, printer: &Printer) -> Result<(), Error> {
    match format {
        Format::Json => printer.json(&scaled),
        Format::Yaml => printer.yaml(&scaled),
        Format::Name => scaled.iter().try_for_each(|scaled| printer.line(&scaled.object)),
        Format::Table | Format::Wide => scaled.iter().try_for_each(|scaled| printer.line(&sentence(scaled))),
    }
}

fn sentence(scaled: &Scaled) -> String {
    let Scaled { name, before, now, ready, milliseconds, .. } = scaled;
    let seconds = std::time::Duration::from_millis(u64::try_from(*milliseconds).unwrap_or(u64::MAX)).as_secs_f64();
    let ended = ready.map(|ready| format!(", {ready} ready in {seconds:.1} s")).unwrap_or_default();
    match now {
        Now::Replicas { replicas } if replicas == before => format!("{name} unchanged: {replicas} replicas{ended}"),
        Now::Replicas { replicas } => format!("{name} scaled from {before} to {replicas}{ended}"),
        Now::Bounds { min, max } => format!("{name} scales between {min} and {max}{ended}"),
    }
}
