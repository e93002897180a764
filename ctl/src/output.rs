//! The only printer: results on stdout; progress, hints and errors on stderr.

mod live;
pub(crate) mod paint;
pub(crate) mod patient;
pub(crate) mod reader;
pub(crate) mod table;

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;

use crate::error::{Aim, Error, ExitCode};
use live::Live;
pub(crate) use paint::Paint;
use patient::{Deadline, Patient, Stuck};

/// Which streams take colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

type Stream = Box<dyn Write + Send>;

/// Writes everything a person or a script reads.
///
/// A reader that goes away (`msctl status | head -1`) is no error: what follows is dropped quietly, because a
/// deploy must not stop half-way for it.
pub(crate) struct Printer {
    stdout: Mutex<Stream>,
    stderr: Mutex<(Stream, Live)>,
    colour: Colour,
    closed: AtomicBool,
    /// Where the commands that it hints at are meant to work.
    aim: OnceLock<Aim>,
    /// For a reader that does not read.
    deadline: Deadline,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer").field("colour", &self.colour).finish_non_exhaustive()
    }
}

impl Printer {
    /// For this process's stdout and stderr. A signal ends the wait for a reader that does not read.
    pub(crate) fn from_environment() -> Self {
        let deadline = Deadline::default();
        let patient = |stream: &dyn AsFd, plain: Stream| -> Stream {
            // Without a buffer, which every line would empty.
            match stream.as_fd().try_clone_to_owned() {
                Ok(own) => Box::new(Patient::new(File::from(own), deadline.clone())),
                Err(_) => plain,
            }
        };
        let stdout = patient(&io::stdout(), Box::new(io::stdout()));
        let stderr = patient(&io::stderr(), Box::new(io::stderr()));
        Self { deadline, ..Self::of_process(stdout, stderr) }
    }

    /// The same for a thread of its own, which may wait for ever.
    pub(crate) fn of_a_thread() -> Self {
        Self::of_process(Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// Colour needs a terminal, and neither `NO_COLOR` nor `TERM=dumb`.
    fn of_process(stdout: Stream, stderr: Stream) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let allowed = !plain && !dumb;
        let terminal = io::stderr().is_terminal();
        let colour = Colour { stdout: allowed && io::stdout().is_terminal(), stderr: allowed && terminal };
        Self::new(stdout, stderr, colour, terminal && !dumb)
    }

    /// `live`: stderr is a terminal whose lines can be rewritten.
    pub(crate) fn new(stdout: Stream, stderr: Stream, colour: Colour, live: bool) -> Self {
        Self {
            stdout: Mutex::new(stdout),
            stderr: Mutex::new((stderr, Live::new(live))),
            colour,
            closed: AtomicBool::new(false),
            aim: OnceLock::new(),
            deadline: Deadline::default(),
        }
    }

    /// The moment until which a reader may let results wait.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    pub(crate) fn colour(&self) -> Colour {
        self.colour
    }

    /// Nobody reads stdout any more; a stream may end.
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// A line of the result.
    pub(crate) fn line(&self, line: &str) -> Result<(), Error> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// A result that brings its own line ends.
    pub(crate) fn text(&self, text: &str) -> Result<(), Error> {
        self.bytes(text.as_bytes())
    }

    /// A result as it is: a body.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        if self.closed() {
            return Ok(());
        }
        self.clear_live();
        let mut stdout = lock(&self.stdout);
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(Stuck::explain("stdout", &error).unwrap_or_else(|| {
                Error::new(ExitCode::Failed, "cannot write to stdout")
                    .why(error.to_string())
                    .place("stdout")
                    .next("run it again with stdout going elsewhere: `| cat`, or > FILE on a disk that has room")
            })),
        }
    }

    /// A result as JSON, indented, with a final newline.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|cause| unprintable("JSON", &cause))?;
        self.line(&text)
    }

    /// A result as a YAML document.
    pub(crate) fn yaml<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        let text = serde_yaml::to_string(value).map_err(|cause| unprintable("YAML", &cause))?;
        self.text(&text)
    }

    /// A line of progress on stderr; it stays.
    pub(crate) fn note(&self, text: &str) {
        self.styled(&printable(text));
    }

    /// Lines on stderr that bring their own styles and line ends: nothing in them may come from elsewhere as it is.
    pub(crate) fn styled(&self, text: &str) {
        let mut guard = lock(&self.stderr);
        let (stderr, live) = &mut *guard;
        let clear = live.clear();
        // Nobody to tell when stderr itself fails.
        let _ = write!(stderr, "{clear}{text}\n{}", live.redraw()).and_then(|()| stderr.flush());
    }

    /// Something that went wrong but does not stop the command.
    pub(crate) fn warning(&self, text: &str) {
        self.styled(&format!("{} {}", self.paint_err(Paint::Yellow, "warning:"), printable(text)));
    }

    /// From here on, commands in hints and errors mean this place.
    pub(crate) fn aim(&self, aim: Aim) {
        // The first one is the command line's.
        let _ = self.aim.set(aim);
    }

    /// What to do next.
    pub(crate) fn hint(&self, text: &str) {
        let text = self.aimed(text);
        self.styled(&format!("{} {}", self.paint_err(Paint::Cyan, "hint:"), printable(&text)));
    }

    fn aimed(&self, text: &str) -> String {
        self.aim.get().map_or_else(|| text.to_owned(), |aim| aim.applied(text))
    }

    /// What, why, where and the next command.
    pub(crate) fn error(&self, error: &Error) {
        self.clear_live();
        let mut text = format!("{} {}", self.paint_err(Paint::Red, "error:"), printable(error.what()));
        for (word, line) in error.rest() {
            text.push_str("\n  ");
            if !word.is_empty() {
                let style = if word == "next" { Paint::Cyan } else { Paint::Dim };
                text.push_str(&self.paint_err(style, &format!("{word}:")));
                text.push(' ');
            }
            let line = if word == "next" { self.aimed(&line) } else { line };
            text.push_str(&printable(&line));
        }
        self.styled(&text);
    }

    /// What is waited for, now. On a terminal these lines replace the ones before; elsewhere a line is printed
    /// when it is new.
    pub(crate) fn live(&self, lines: Vec<String>) {
        let mut guard = lock(&self.stderr);
        let (stderr, live) = &mut *guard;
        let text = live.update(lines.into_iter().map(|line| printable(&line)).collect());
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }

    /// Whether live lines can be rewritten, so that a clock or a spinner in them makes sense.
    pub(crate) fn is_live(&self) -> bool {
        lock(&self.stderr).1.is_terminal()
    }

    /// Takes the live lines away: the wait is over.
    pub(crate) fn clear_live(&self) {
        self.live(Vec::new());
    }

    pub(crate) fn paint_out(&self, paint: Paint, text: &str) -> String {
        paint.apply(text, self.colour.stdout)
    }

    pub(crate) fn paint_err(&self, paint: Paint, text: &str) -> String {
        paint.apply(text, self.colour.stderr)
    }
}

/// What a pod or a registry says may hold control characters, which a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A panic while printing leaves nothing half-changed that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unprintable(form: &str, cause: &dyn std::error::Error) -> Error {
    Error::new(ExitCode::Failed, format!("cannot write the result as {form}")).why(cause.to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Arc;

    /// What was written, for a test to read.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer without a terminal, and what it prints on stdout and stderr.
    pub(crate) fn captured() -> (Printer, Sink, Sink) {
        let (out, err) = (Sink::default(), Sink::default());
        let printer = Printer::new(Box::new(out.clone()), Box::new(err.clone()), Colour::default(), false);
        (printer, out, err)
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn broken(kind: io::ErrorKind) -> Printer {
        Printer::new(Box::new(Broken(kind)), Box::new(Sink::default()), Colour::default(), false)
    }

    #[test]
    fn a_closed_pipe_on_stdout_ends_quietly() {
        let printer = broken(io::ErrorKind::BrokenPipe);
        assert_eq!(printer.line("result"), Ok(()));
        assert!(printer.closed());
        assert_eq!(printer.line("more"), Ok(()));
    }

    #[test]
    fn a_full_disk_behind_stdout_is_an_error() {
        let error = broken(io::ErrorKind::StorageFull).line("result").unwrap_err();
        assert_eq!(error.code(), ExitCode::Failed);
    }

    #[test]
    fn without_a_terminal_a_live_line_is_printed_when_it_is_new() {
        let (printer, out, err) = captured();
        printer.live(vec!["a: pulling".into(), "b: starting".into()]);
        printer.live(vec!["a: pulling".into(), "b: ready".into()]);
        printer.clear_live();
        assert_eq!(err.text(), "a: pulling\nb: starting\nb: ready\n");
        assert_eq!(out.text(), "");
    }

    #[test]
    fn what_a_pod_says_does_not_command_the_terminal() {
        let (printer, _, err) = captured();
        printer.live(vec!["pod: \u{1b}[2Jgone".into()]);
        for say in [Printer::note, Printer::warning, Printer::hint] {
            say(&printer, "pod: \u{1b}[2J\u{9b}2Jgone\u{7}");
        }
        printer.error(
            &Error::new(ExitCode::Failed, "pod \u{1b}[2J failed").quote("log", vec!["\u{1b}]0;title\u{7}".into()]),
        );
        assert!(!err.text().contains(['\u{1b}', '\u{7}', '\u{9b}']), "{:?}", err.text());
    }

    #[test]
    fn on_a_terminal_live_lines_are_rewritten_and_then_taken_away() {
        let err = Sink::default();
        let printer = Printer::new(Box::new(Sink::default()), Box::new(err.clone()), Colour::default(), true);
        printer.live(vec!["a".into(), "b".into()]);
        printer.note("stays");
        printer.clear_live();
        assert_eq!(err.text(), "a\nb\n\u{1b}[2A\u{1b}[Jstays\na\nb\n\u{1b}[2A\u{1b}[J");
    }
}
