//! What a deploy did, in every form of `-o`.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::cli::Format;
use crate::cli::deploy::DryRun;
use crate::error::Error;
use crate::output::Printer;

/// A deploy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) namespace: String,
    /// `none`: what a dry run has to show is a [`Preview`].
    pub(crate) dry_run: &'static str,
    pub(crate) services: Vec<ServiceReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceReport {
    pub(crate) name: String,
    pub(crate) objects: Vec<ObjectReport>,
    /// None when it was not waited for.
    pub(crate) rollout: Option<RolloutReport>,
}

/// What became, or would become, of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Nobody was asked what there is.
    Rendered,
    Created,
    Configured,
    Unchanged,
    Deleted,
    /// Nobody wants it any more, and it holds data.
    Kept,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rendered => "rendered",
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Kept => "kept",
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectReport {
    /// `deployment.apps/service-a`
    pub(crate) object: String,
    pub(crate) action: Action,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolloutReport {
    pub(crate) ready: i32,
    pub(crate) wanted: i32,
    pub(crate) milliseconds: u128,
}

/// What a deploy would do.
#[derive(Debug)]
pub(crate) struct Preview {
    /// Who was asked.
    pub(crate) dry_run: DryRun,
    pub(crate) services: Vec<ServiceReport>,
    /// Whole, for the forms that show them so.
    pub(crate) manifests: Vec<Value>,
}

impl Report {
    pub(crate) fn new(namespace: impl Into<String>, services: Vec<ServiceReport>) -> Self {
        Self { namespace: namespace.into(), dry_run: "none", services }
    }

    /// What ends a deploy; its objects have been printed as they were applied. One that is not `whole` has failed.
    pub(super) fn print(&self, printer: &Printer, format: Format, whole: bool) -> Result<(), Error> {
        match format {
            Format::Json => printer.json(self),
            Format::Yaml => printer.yaml(self),
            Format::Table | Format::Wide | Format::Name if !whole => Ok(()),
            Format::Table | Format::Wide | Format::Name => {
                self.services.iter().try_for_each(|service| service.print_outcome(printer, format))
            }
        }
    }
}

impl Preview {
    pub(super) fn print(&self, printer: &Printer, format: Format) -> Result<(), Error> {
        let note = match self.dry_run {
            DryRun::Client => " (client dry run)",
            DryRun::Server => " (server dry run)",
        };
        match format {
            // What `kubectl apply -f -` takes.
            Format::Json => {
                printer.json(&serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": self.manifests }))
            }
            Format::Yaml => self.manifests.iter().try_for_each(|manifest| {
                printer.line("---")?;
                printer.yaml(manifest)
            }),
            Format::Table | Format::Wide | Format::Name => {
                self.services.iter().try_for_each(|service| service.print_objects(printer, format, note))
            }
        }
    }
}

impl ServiceReport {
    fn is_unchanged(&self) -> bool {
        self.objects.iter().all(|object| object.action == Action::Unchanged)
    }

    /// One line an object that changed, as kubectl writes them.
    pub(super) fn print_objects(&self, printer: &Printer, format: Format, note: &str) -> Result<(), Error> {
        for object in &self.objects {
            match format {
                // A script goes on with what it is given.
                Format::Name if object.action == Action::Deleted => {}
                Format::Name => printer.line(&object.object)?,
                Format::Table | Format::Wide if object.action == Action::Unchanged && note.is_empty() => {}
                Format::Table | Format::Wide => printer.line(&format!("{} {}{note}", object.object, object.action))?,
                Format::Json | Format::Yaml => {}
            }
        }
        Ok(())
    }

    /// The line that ends it.
    fn print_outcome(&self, printer: &Printer, format: Format) -> Result<(), Error> {
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
