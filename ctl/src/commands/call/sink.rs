//! Where the answer goes: its bytes to stdout or a file, exactly as they came.

use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use http::response::Parts;
use tokio::task::spawn_blocking;

use crate::error::{Error, ExitCode};
use crate::output::Printer;
use crate::output::patient::{Patient, Stuck};

/// Takes a body piece by piece.
#[derive(Debug)]
pub(super) enum Sink<'a> {
    Stdout { printer: &'a Printer, last: Option<u8>, terminal: bool },
    File(OutputFile),
}

/// The file of `--output-file`: opened before anything is sent, so that an answer is never lost for a misspelt
/// folder; emptied only when the answer is there, so that a failed call leaves the last answer alone.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    file: Patient,
    /// There was none before, and nothing is in it yet: it goes again when the call fails.
    ours: bool,
}

impl<'a> Sink<'a> {
    pub(super) async fn open(path: Option<&Path>, printer: &'a Printer) -> Result<Self, Error> {
        // `-` is stdout, as curl has it.
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::stdout(printer, std::io::stdout().is_terminal()));
        };
        let ours = !path.exists();
        let name = path.to_owned();
        // On a thread: a pipe is open when somebody opens its other end, perhaps never.
        let opening = spawn_blocking(move || OpenOptions::new().write(true).create(true).truncate(false).open(name));
        let opened = opening.await.unwrap_or_else(|cause| Err(std::io::Error::other(cause)));
        let file = opened.map_err(|cause| refused(path, &cause))?;
        let file = Patient::new(file, printer.deadline().clone());
        Ok(Self::File(OutputFile { path: path.to_owned(), file, ours }))
    }

    fn stdout(printer: &'a Printer, terminal: bool) -> Self {
        Self::Stdout { printer, last: None, terminal }
    }

    /// The answer has begun.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        match self {
            Self::Stdout { .. } => Ok(()),
            Self::File(file) => {
                file.ours = false;
                // A pipe or a device has no length to set.
                let plain = file.file.file().metadata().is_ok_and(|metadata| metadata.is_file());
                if plain { file.file.file().set_len(0).map_err(|cause| failed(&file.path, &cause)) } else { Ok(()) }
            }
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Stdout { printer, last, .. } => {
                *last = bytes.last().copied().or(*last);
                printer.bytes(bytes)
            }
            Self::File(file) => file.file.write_all(bytes).map_err(|cause| failed(&file.path, &cause)),
        }
    }

    /// Nobody takes any more; the rest need not come.
    pub(super) fn closed(&self) -> bool {
        match self {
            Self::Stdout { printer, .. } => printer.closed(),
            Self::File(_) => false,
        }
    }

    /// The answer has ended. On a terminal, and only there, its last line is ended too: a prompt in the middle of a
    /// body is nobody's byte-exact copy.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        match self {
            Self::Stdout { last: Some(last), terminal: true, .. } if *last != b'\n' => self.write(b"\n"),
            Self::Stdout { .. } | Self::File(_) => Ok(()),
        }
    }

    /// What sets the body off from what is printed next: an empty line, where there is a body.
    pub(super) fn gap_below(&self) -> &'static str {
        match self {
            Self::Stdout { last: Some(b'\n'), .. } => "\n",
            Self::Stdout { last: Some(_), .. } => "\n\n",
            Self::Stdout { last: None, .. } | Self::File(_) => "",
        }
    }
}

/// Nothing has been sent.
fn refused(path: &Path, cause: &std::io::Error) -> Error {
    let error = Error::usage(format!("cannot write to {}", path.display()))
        .why(cause.to_string())
        .place(format!("--output-file {}", path.display()));
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if cause.kind() == ErrorKind::NotFound => error.next(format!("mkdir -p {}", folder.display())),
        _ => error.next("--output-file with a file that you may write to"),
    }
}

fn failed(path: &Path, cause: &std::io::Error) -> Error {
    let name = path.display().to_string();
    if let Some(error) = Stuck::explain(&name, cause) {
        return error;
    }
    let error =
        Error::new(ExitCode::Failed, format!("cannot write the body to {name}")).why(cause.to_string()).place(name);
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => error.next(format!("df -h {}", path.display())),
        _ => error.next("--output-file with another file; without it the body goes to stdout"),
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.ours {
            // Nobody to tell, and nothing lost: it is empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Status line and headers as they were on the wire, for `-i`.
pub(super) fn head(parts: &Parts) -> Vec<u8> {
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut head = format!("{:?} {} {reason}", parts.version, parts.status.as_str()).trim_end().as_bytes().to_vec();
    head.extend_from_slice(b"\r\n");
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::captured;

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("msctl-sink-{}-{name}", std::process::id()))
    }

    #[test]
    fn stdout_gets_the_bytes_and_nothing_else() {
        let (printer, out, _) = captured();
        let mut sink = Sink::stdout(&printer, false);
        sink.begin().unwrap();
        sink.write(b"Hello, ").unwrap();
        sink.write(b"World!").unwrap();
        assert_eq!(out.text(), "Hello, World!");
    }

    #[tokio::test]
    async fn a_file_named_by_a_dash_is_stdout() {
        let (printer, out, _) = captured();
        let mut sink = Sink::open(Some(Path::new("-")), &printer).await.unwrap();
        sink.begin().unwrap();
        sink.write(b"Hello").unwrap();
        assert!(out.text().starts_with("Hello") && !Path::new("-").exists());
    }

    #[test]
    fn the_last_line_is_ended_on_a_terminal_alone() {
        for (terminal, body, shown) in
            [(true, "Hello", "Hello\n"), (true, "Hello\n", "Hello\n"), (true, "", ""), (false, "Hello", "Hello")]
        {
            let (printer, out, _) = captured();
            let mut sink = Sink::stdout(&printer, terminal);
            sink.write(body.as_bytes()).unwrap();
            sink.end().unwrap();
            assert_eq!(out.text(), shown);
        }
    }

    #[test]
    fn what_follows_a_body_stands_one_empty_line_below() {
        let (printer, _, _) = captured();
        for (body, gap) in [("Hello", "\n\n"), ("Hello\n", "\n"), ("", "")] {
            let mut sink = Sink::stdout(&printer, false);
            sink.write(body.as_bytes()).unwrap();
            assert_eq!(sink.gap_below(), gap, "{body:?}");
        }
    }

    #[tokio::test]
    async fn a_file_holds_the_body_alone_also_when_it_held_more_before() {
        let (printer, out, _) = captured();
        let path = temporary("body");
        std::fs::write(&path, "a longer answer of yesterday").unwrap();
        let mut sink = Sink::open(Some(&path), &printer).await.unwrap();
        sink.begin().unwrap();
        sink.write(b"short").unwrap();
        drop(sink);
        let held = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((held.as_str(), out.text().as_str()), ("short", ""));
    }

    #[tokio::test]
    async fn a_failed_call_leaves_no_file_behind_and_an_old_one_alone() {
        let (printer, _, _) = captured();
        let (new, old) = (temporary("new"), temporary("old"));
        drop(Sink::open(Some(&new), &printer).await.unwrap());
        assert!(!new.exists());
        std::fs::write(&old, "kept").unwrap();
        drop(Sink::open(Some(&old), &printer).await.unwrap());
        let held = std::fs::read_to_string(&old).unwrap();
        std::fs::remove_file(&old).unwrap();
        assert_eq!(held, "kept");
    }

    #[tokio::test]
    async fn a_folder_that_does_not_exist_is_found_before_anything_is_sent() {
        let (printer, _, _) = captured();
        let error = Sink::open(Some(Path::new("/nowhere/at/all")), &printer).await.unwrap_err();
        assert_eq!(error.code(), ExitCode::Usage);
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
        assert!(error.to_string().contains("next: mkdir -p /nowhere/at"), "{error}");
    }

    #[tokio::test]
    async fn a_full_disk_is_said_with_how_to_look_at_it() {
        let (printer, _, _) = captured();
        let mut sink = Sink::open(Some(Path::new("/dev/full")), &printer).await.unwrap();
        sink.begin().unwrap();
        let error = sink.write(b"body").unwrap_err();
        assert!(error.to_string().contains("next: df -h /dev/full"), "{error}");
    }

    #[test]
    fn the_head_is_printed_as_it_is_on_the_wire() {
        let response =
            http::Response::builder().status(404).header("X-One", "1").header("x-one", "2").body(()).unwrap();
        let head = head(&response.into_parts().0);
        assert_eq!(String::from_utf8(head).unwrap(), "HTTP/1.1 404 Not Found\r\nx-one: 1\r\nx-one: 2\r\n\r\n");
    }
}
