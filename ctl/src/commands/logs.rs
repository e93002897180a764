//! `msctl logs`: what services write, all of their pods in one stream of lines.

mod prefix;

#[cfg(test)]
mod tests;

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde::Serialize;

use self::prefix::Prefixes;
use crate::cli::Globals;
use crate::cli::logs::{LogFormat, LogsArgs};
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::output::{Printer, reader};
use crate::platform::Platform;

/// Lines that are written at once, when so many have come.
const BATCH: usize = 256;
/// Of their text, in bytes: lines can be long.
const BATCH_TEXT: usize = 1 << 20;

/// A line that a service wrote, without its newline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogLine {
    /// When it was read from the service.
    pub(crate) time: Option<Timestamp>,
    pub(crate) service: String,
    pub(crate) pod: String,
    /// In a pod that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<String>,
    pub(crate) line: String,
}

/// What comes of reading logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Line(LogLine),
    /// For the person who waits: stderr.
    Note(String),
}

/// Entries as they come. It ends when there is nothing more to read, or after an error.
pub(crate) type Entries = BoxStream<'static, Result<Entry, Error>>;

pub(crate) async fn run(args: LogsArgs, globals: &Globals, printer: &Printer) -> Result<ExitCode, Error> {
    let mut interrupt = Interrupt::listen()?;
    let platform = Platform::choose(globals, printer)?;
    let work = Box::pin(logs(&platform, &args, printer));
    tokio::select! {
        biased;
        // The way to end what has no end of its own: no error to be told.
        _ = interrupt.signalled() => Ok(ExitCode::Interrupted),
        outcome = work => match outcome {
            // Heard while nobody took a line.
            Err(error) if error.code() == ExitCode::Interrupted => Ok(ExitCode::Interrupted),
            outcome => outcome.map_err(|error| platform.within(error)),
        },
        () = reader::gone() => Ok(ExitCode::Done),
    }
}

async fn logs(platform: &Platform, args: &LogsArgs, printer: &Printer) -> Result<ExitCode, Error> {
    let mut entries = platform.logs(args, printer).await?;
    let mut prefixes = Prefixes::default();
    while let Some(first) = entries.next().await {
        // What has come already goes out in one piece.
        let (mut text, mut count, mut next) = (String::new(), 0, Some(first));
        while let Some(entry) = next.take() {
            match entry {
                Ok(Entry::Line(line)) => text.push_str(&render(&line, args, &mut prefixes, printer)?),
                Ok(Entry::Note(note)) => printer.note(&note),
                Err(error) => {
                    printer.text(&text)?;
                    return Err(error);
                }
            }
            count += 1;
            if count < BATCH && text.len() < BATCH_TEXT {
                next = entries.next().now_or_never().flatten();
            }
        }
        printer.text(&text)?;
        if printer.closed() {
            break;
        }
    }
    Ok(ExitCode::Done)
}

fn render(line: &LogLine, args: &LogsArgs, prefixes: &mut Prefixes, printer: &Printer) -> Result<String, Error> {
    if args.output == LogFormat::Json {
        let object = serde_json::to_string(line)
            .map_err(|cause| Error::new(ExitCode::Failed, "cannot write a line as JSON").why(cause.to_string()))?;
        return Ok(object + "\n");
    }
    let prefix = prefixes.of(line, printer);
    let time = line.time.filter(|_| args.timestamps).map(|time| format!("{time} ")).unwrap_or_default();
    Ok(format!("{prefix} | {time}{}\n", harmless(&line.line)))
}

/// What a service writes may colour its words, and not command the terminal in any other way.
fn harmless(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        text.push_str(&rest[..at]);
        let control = &rest[at..];
        let colour = colour_length(control);
        let taken = colour.unwrap_or_else(|| control.chars().next().map_or(1, char::len_utf8));
        text.push_str(if colour.is_some() { &control[..taken] } else { " " });
        rest = &control[taken..];
    }
    text.push_str(rest);
    text
}

/// Bytes of the sequence that sets a colour or a style: `ESC [ 1 ; 31 m`.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then_some(end + 3)
}
