//! `msctl status`: services, and the reason when one is not ready.

mod summary;

pub(crate) use self::summary::{Bounds, Kind, PodSummary, Reason, State, Summary};
use crate::cli::status::StatusArgs;
use crate::cli::{Format, Globals};
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::table::Table;
use crate::output::{Paint, Printer};
use crate::platform::Platform;

#[cfg(test)]
mod tests;

/// Where a reason is cut in a table; `-o wide` and the other forms have all of it.
const REASON_WIDTH: usize = 120;

pub(crate) async fn run(args: StatusArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    if args.all_namespaces && globals.namespace.is_some() {
        return Err(Error::usage("-A and -n exclude each other")
            .why("-A is every namespace, and -n is one")
            .next("leave out one of them"));
    }
    let platform = Platform::choose(globals, printer)?;
    let work = Box::pin(status(&platform, &args, printer));
    let outcome = Interrupt::listen()?.or("looking at the services", work).await;
    outcome.map_err(|error| platform.within(error.next_if_interrupted(platform.when_silent())))
}

async fn status(platform: &Platform, args: &StatusArgs, printer: &Printer) -> Result<ExitCode, Error> {
    let found = platform.status(args, printer).await?;
    print(&found, args, printer)?;
    Ok(ExitCode::Done)
}

fn print(found: &[Summary], args: &StatusArgs, printer: &Printer) -> Result<(), Error> {
    match args.output.format {
        Format::Json => printer.json(&found),
        Format::Yaml => printer.yaml(&found),
        Format::Name => found.iter().try_for_each(|summary| printer.line(&summary.object)),
        Format::Table | Format::Wide if found.is_empty() => Ok(()),
        Format::Table => printer.text(&table(found, args.all_namespaces, false, printer)),
        Format::Wide => printer.text(&table(found, args.all_namespaces, true, printer)),
    }
}

fn table(found: &[Summary], namespaces: bool, wide: bool, printer: &Printer) -> String {
    let mut header = Vec::new();
    if namespaces {
        header.push("NAMESPACE");
    }
    header.extend(["NAME", "READY", "STATUS", "AGE", "VERSION"]);
    if wide {
        header.extend(["IMAGE", "NODES", "RESTARTS", "SCALES", "MANAGED-BY"]);
    }
    header.push("REASON");
    let mut table = Table::new(header);
    for summary in found {
        let mut row = Vec::new();
        if namespaces {
            row.push(summary.namespace.clone());
        }
        row.extend([
            summary.name.clone(),
            format!("{}/{}", summary.ready, summary.wanted),
            summary.state.to_string(),
            summary.age(),
            summary.version.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
        if wide {
            row.extend([
                summary.image.clone(),
                summary.nodes(),
                summary.restarts().to_string(),
                summary.scales(),
                summary.managed_by.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        // Last, because it may be long.
        row.push(reason(summary, wide));
        table.row(row);
    }
    let text = table.render();
    // The header alone: colour inside cells would shift the columns.
    match text.split_once('\n') {
        Some((header, rows)) => format!("{}\n{rows}", printer.paint_out(Paint::Dim, header)),
        None => text,
    }
}

/// The first reason, and how many more there are; all of them when there is room.
fn reason(summary: &Summary, wide: bool) -> String {
    let texts = summary.reasons.iter().map(|reason| format!("{}: {}", reason.subject, reason.text));
    if wide {
        return texts.collect::<Vec<String>>().join("; ");
    }
    let mut texts = texts.map(|text| match text.char_indices().nth(REASON_WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    });
    let first = texts.next().unwrap_or_default();
    match texts.count() {
        0 => first,
        more => format!("{first} (and {more} more)"),
    }
}
