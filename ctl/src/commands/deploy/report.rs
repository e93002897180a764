//! What a deploy did, in every form of `-o`.

use std::time::Duration;

use serde::Serialize;

use crate::cli::Format;
use crate::cluster::plan::Action;
use crate::error::Error;
use crate::output::Printer;

/// A deploy, or what it would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) namespace: String,
    /// `none`, `client` or `server`.
    pub(super) dry_run: &'static str,
    pub(super) services: Vec<ServiceReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceReport {
    pub(super) name: String,
    pub(super) objects: Vec<ObjectReport>,
    /// None when it was not waited for.
    pub(super) rollout: Option<RolloutReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectReport {
    /// `deployment.apps/service-a`
    pub(super) object: String,
    pub(super) action: Action,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolloutReport {
    pub(super) ready: i32,
    pub(super) wanted: i32,
    pub(super) milliseconds: u128,
}

impl ServiceReport {
    fn is_unchanged(&self) -> bool {
        self.objects.iter().all(|object| object.action == Action::Unchanged)
    }

    /// One line an object that changed, as kubectl writes them.
    pub(super) fn print_objects(&self, printer: &Printer, format: Format, note: &str) -> Result<(), Error> {
        for object in &self.objects {
            match format {
                Format::Name => printer.line(&object.object)?,
                Format::Table | Format::Wide if object.action == Action::Unchanged && note.is_empty() => {}
                Format::Table | Format::Wide => printer.line(&format!("{} {}{note}", object.object, object.action))?,
                Format::Json | Format::Yaml => {}
            }
        }
        Ok(())
    }

    /// The line that ends it.
    pub(super) fn print_outcome(&self, printer: &Printer, format: Format) -> Result<(), Error> {
        if !matches!(format, Format::Table | Format::Wide) {
            return Ok(());
        }
        let changed = if self.is_unchanged() { " unchanged" } else { "" };
        let Some(rollout) = &self.rollout else {
            return if self.is_unchanged() { printer.line(&format!("{} unchanged", self.name)) } else { Ok(()) };
        };
        let pods = format!("{}/{} ready", rollout.ready, rollout.wanted);
        printer.line(&format!("{}{changed}: {pods} in {:.1} s", self.name, seconds(rollout.milliseconds)))
    }
}

fn seconds(milliseconds: u128) -> f64 {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX)).as_secs_f64()
}
