//! The tree of hops as lines of text: tree, duration, place on the time line, status, pod.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::branches::branches;
use super::layout::{self, Columns, Glyphs, SPACE, Screen};
use super::span::Outcome;
use super::text;
use super::tree::{Entry, Placed, Tree};
use super::{Letters, Span};

/// Draws the tree; every line ends with a newline.
pub(crate) fn render(tree: &Tree, screen: Screen) -> String {
    let drawing = Drawing::new(tree, screen);
    let mut out = drawing.summary();
    if tree.rows.is_empty() {
        return out;
    }
    out.push('\n');
    out.push_str(&drawing.head());
    for (row, cells) in tree.rows.iter().zip(&drawing.cells) {
        out.push_str(&drawing.line(cells));
        if let Entry::Span(placed) = &row.entry {
            for note in notes(placed, drawing.glyphs) {
                out.push_str(&drawing.note(cells, &note, placed.span.failed()));
            }
        }
    }
    out.push_str(&drawing.links());
    out
}

/// One row's texts, before they are fitted.
struct Cells {
    /// Lines of the tree, left of the title.
    branches: String,
    /// The same for a line below this row.
    below: String,
    title: String,
    /// Said behind the title where there is room for all of it.
    detail: String,
    time: String,
    status: String,
    pod: String,
    version: String,
    /// Start and duration, in microseconds from the trace's start.
    bar: Option<(u64, u64)>,
    failed: bool,
}

struct Drawing<'a> {
    tree: &'a Tree,
    screen: Screen,
    glyphs: &'static Glyphs,
    cells: Vec<Cells>,
    columns: Columns,
    /// Microseconds from the first start to the last end.
    total: u64,
}

impl<'a> Drawing<'a> {
    fn new(tree: &'a Tree, screen: Screen) -> Self {
        let glyphs = screen.letters.glyphs();
        let (start, end) = tree.bounds();
        let branches = branches(tree, glyphs);
        let cells: Vec<Cells> = tree
            .rows
            .iter()
            .zip(branches)
            .map(|(row, (branches, below))| {
                let cells = match &row.entry {
                    Entry::Span(placed) => span_cells(placed, start, screen.letters),
                    Entry::Missing(id) => missing_cells(&format!("? span {id} has not arrived")),
                };
                Cells { branches, below, ..cells }
            })
            .collect();
        let trees: Vec<String> =
            cells.iter().map(|row| format!("{}{}{}", row.branches, row.title, row.detail)).collect();
        let natural = Columns {
            tree: layout::widest(SPAN, trees.iter().map(String::as_str)),
            time: layout::widest(TIME, cells.iter().map(|row| row.time.as_str())),
            bar: 0,
            status: layout::widest(STATUS, cells.iter().map(|row| row.status.as_str())),
            pod: layout::widest(POD, cells.iter().map(|row| row.pod.as_str())),
            version: layout::widest(VERSION, cells.iter().map(|row| row.version.as_str())),
        };
        let columns = Columns::fit(natural, screen.width);
        Self { tree, screen, glyphs, cells, columns, total: end - start }
    }

    /// `trace ID · 5 spans · 3 services · 4.21 ms`.
    fn summary(&self) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let mut parts = vec![
            format!("trace {}", self.tree.id),
            count(self.tree.spans().count(), "span"),
            count(self.tree.services().len(), "service"),
            text::duration(self.total, self.glyphs.micro),
        ];
        let failed = self.tree.spans().filter(|placed| placed.span.failed()).count();
        if failed > 0 {
            parts.push(self.paint(&format!("{failed} failed"), RED));
        }
        format!("{}\n", parts.join(self.glyphs.dot))
    }

    fn head(&self) -> String {
        let scale = scale(self.columns.bar, &text::duration(self.total, self.glyphs.micro));
        let line = self.join([SPAN, TIME, &scale, STATUS, POD, VERSION]);
        format!("{}\n", self.paint(line.trim_end(), DIM))
    }

    fn line(&self, row: &Cells) -> String {
        let cut = self.glyphs.cut;
        // A deep row keeps a part of its title; the lines above it tell where it hangs.
        let title_least = text::width(&row.title).min(TITLE_LEAST);
        let branches_most = self.columns.tree.saturating_sub(title_least);
        let branches = text::cut_start(&row.branches, branches_most, cut);
        let room = self.columns.tree.saturating_sub(text::width(&branches));
        let full = format!("{}{}", row.title, row.detail);
        let title = if text::width(&full) <= room { full } else { text::cut_end(&row.title, room, cut) };
        let tree = format!("{branches}{title}");
        let bar = self.bar(row);
        let pod = text::cut_start(&row.pod, self.columns.pod, cut);
        let line = self.join([&tree, &row.time, &bar, &row.status, &pod, &row.version]);
        let line = line.trim_end();
        let painted = if row.failed { self.paint(line, RED) } else { line.to_owned() };
        format!("{painted}\n")
    }

    /// A remark on the span above, across all columns.
    fn note(&self, row: &Cells, note: &str, failed: bool) -> String {
        let line = format!("{}{note}", row.below);
        let line = match self.screen.width {
            Some(width) => text::cut_end(&line, width, self.glyphs.cut),
            None => line,
        };
        format!("{}\n", self.paint(&line, if failed { RED } else { DIM }))
    }

    /// Other traces that spans of this one are linked to, below the tree, where an id is neither cut nor in the way: work
    /// that was done for several at once, such as the commit of a batch.
    fn links(&self) -> String {
        let mut seen = BTreeSet::from([self.tree.id]);
        let mut lines = Vec::new();
        for placed in self.tree.spans() {
            for link in placed.span.links.iter().filter(|link| seen.insert(link.trace)) {
                let title = shown(&placed.span.title(), self.screen.letters);
                lines.push(format!("linked: trace {} ({title})", link.trace));
            }
        }
        if lines.is_empty() {
            return String::new();
        }
        let more = lines.len().saturating_sub(LINKS_MOST);
        lines.truncate(LINKS_MOST);
        if more > 0 {
            lines.push(format!("linked: {more} more; -o json has them all"));
        }
        lines.iter().fold("\n".to_owned(), |text, line| format!("{text}{}\n", self.paint(line, DIM)))
    }

    fn join(&self, texts: [&str; 6]) -> String {
        let Columns { tree, time, bar, status, pod, version } = self.columns;
        let widths = [tree, time, bar, status, pod, version];
        let mut line = String::new();
        for (column, (text, cells)) in texts.into_iter().zip(widths).enumerate() {
            if cells == 0 {
                continue;
            }
            if !line.is_empty() {
                let _ = write!(line, "{:SPACE$}", "");
            }
            // Durations are compared by their last digits, all else is read from its first.
            let padded = match column {
                1 => text::pad_start(text, cells),
                _ => text::pad_end(text, cells),
            };
            line.push_str(&padded);
        }
        line
    }

    fn bar(&self, row: &Cells) -> String {
        let (Some((offset, duration)), cells) = (row.bar, self.columns.bar) else {
            return String::new();
        };
        if cells == 0 {
            return String::new();
        }
        // Rounded so that neighbours touch: the end of one is the start of the next.
        let at = |micros: u64| {
            let scaled = u128::from(micros) * cells as u128 / u128::from(self.total.max(1));
            usize::try_from(scaled).unwrap_or(cells).min(cells)
        };
        let first = at(offset).min(cells - 1);
        let full = at(offset.saturating_add(duration)).saturating_sub(first).min(cells - first);
        match full {
            0 => format!("{:first$}{}", "", self.glyphs.instant),
            _ => format!("{:first$}{}", "", self.glyphs.bar.repeat(full)),
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.screen.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

const SPAN: &str = "SPAN";
const TIME: &str = "TIME";
const STATUS: &str = "STATUS";
const POD: &str = "POD";
const VERSION: &str = "VERSION";
/// Cells of a title that stay however deep its row is.
const TITLE_LEAST: usize = 16;
/// Linked traces that are named.
const LINKS_MOST: usize = 3;
const RED: &str = "31";
const DIM: &str = "2";

/// `0        4.21 ms`: the ends of the time line.
fn scale(cells: usize, end: &str) -> String {
    match cells.checked_sub(1 + text::width(end)) {
        Some(fill) if fill > 0 => format!("0{:fill$}{end}", ""),
        _ => text::pad_end("", cells),
    }
}

fn span_cells(placed: &Placed, trace_start: u64, letters: Letters) -> Cells {
    let Span { place, duration, .. } = &placed.span;
    let optional = |text: &Option<String>| text.as_deref().map_or(String::new(), |text| shown(text, letters));
    Cells {
        branches: String::new(),
        below: String::new(),
        title: shown(&placed.span.title(), letters),
        detail: shown(&detail(&placed.span), letters),
        time: text::duration(*duration, letters.glyphs().micro),
        status: status(&placed.span, letters),
        pod: optional(&place.pod),
        version: optional(&place.version),
        bar: Some((placed.start() - trace_start, *duration)),
        failed: placed.span.failed(),
    }
}

/// A text of somebody else's as this terminal can show it.
fn shown(text: &str, letters: Letters) -> String {
    match letters {
        Letters::Unicode => text::clean(text),
        Letters::Ascii => text::ascii(&text::clean(text)),
    }
}

/// ` (postgresql)`: a statement's name tells its table, and not what it was sent to.
fn detail(span: &Span) -> String {
    let size = span.attributes.get("db.operation.batch.size").and_then(Value::as_u64);
    match (span.database(), size) {
        (Some(system), Some(size)) => format!(" ({system}, batch of {size})"),
        (Some(system), None) if !span.name.contains(system) => format!(" ({system})"),
        _ => String::new(),
    }
}

fn missing_cells(title: &str) -> Cells {
    Cells {
        branches: String::new(),
        below: String::new(),
        title: title.to_owned(),
        detail: String::new(),
        time: String::new(),
        status: String::new(),
        pod: String::new(),
        version: String::new(),
        bar: None,
        failed: false,
    }
}

/// The HTTP status, or a database's code for an error, marked where the span failed.
fn status(span: &Span, letters: Letters) -> String {
    let database = || span.text("db.response.status_code").map(|code| shown(code, letters));
    match (span.http_status().map(|code| code.to_string()).or_else(database), span.failed()) {
        (Some(code), false) => code,
        (Some(code), true) => format!("{} {code}", letters.glyphs().failed),
        (None, true) => letters.glyphs().failed.to_owned(),
        (None, false) => String::new(),
    }
}

/// What is said below a span: why it failed, and that its clock was off by enough to be seen.
fn notes(placed: &Placed, glyphs: &Glyphs) -> Vec<String> {
    const WORTH_SAYING: u64 = 1_000;
    let mut notes = Vec::new();
    if let Outcome::Failed(Some(reason)) = &placed.span.outcome
        && Some(reason.as_str()) != placed.span.http_status().map(|s| s.to_string()).as_deref()
    {
        let reason = text::clean(reason);
        let reason = if glyphs.micro == "u" { text::ascii(&reason) } else { reason };
        notes.push(format!("{} {reason}", glyphs.failed));
    }
    if placed.shift.unsigned_abs() >= WORTH_SAYING {
        let by = text::duration(placed.shift.unsigned_abs(), glyphs.micro);
        let how = if placed.shift > 0 { "behind" } else { "ahead" };
        notes.push(format!("its clock is {by} {how}; shown in its caller's time"));
    }
    notes
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
