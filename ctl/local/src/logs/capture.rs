//! From a process's stdout and stderr to the log of its replica.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read as _, pipe};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::file::{LONGEST_LINE, LogFile};

/// Read at once: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Lines that an error shows.
const SHOWN: usize = 20;

/// The last lines of one process, whatever became of its file.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    ended: watch::Receiver<bool>,
}

/// The pipe that a process is about to get.
#[derive(Debug)]
pub(crate) struct Capture {
    /// Kept open until the process has it.
    writer: PipeWriter,
    tail: Tail,
}

impl Capture {
    /// Starts the thread that carries lines from the pipe to the file until no process has the pipe any more.
    ///
    /// A thread each, blocking: lines cost no wake-up of the runtime, and a slow disk holds up one service's log only.
    pub(crate) fn start(file: Arc<LogFile>) -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        let (end, ended) = watch::channel(false);
        let tail = Tail { lines: Arc::default(), ended };
        let lines = tail.lines.clone();
        thread::Builder::new().name(format!("log {}", file.replica)).stack_size(256 * 1024).spawn(move || {
            carry(reader, &file, &lines);
            end.send_replace(true);
        })?;
        Ok(Self { writer, tail })
    }

    /// The pipe under a name that the guard can open, as it belongs to the same user.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.writer.as_raw_fd()))
    }

    /// To be called once the process has the pipe, or never will.
    pub(crate) fn into_tail(self) -> Tail {
        self.tail
    }
}

impl Tail {
    /// The last lines, once the process's output has ended; a grandchild that goes on writing is not waited for.
    pub(crate) async fn last(&self) -> Vec<String> {
        let _ = timeout(Duration::from_millis(200), self.ended.clone().wait_for(|ended| *ended)).await;
        self.lines()
    }

    /// The last lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn carry(mut reader: PipeReader, file: &LogFile, tail: &Mutex<VecDeque<String>>) {
    let mut buffer = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        buffer.extend_from_slice(&chunk[..length]);
        let whole = whole_lines(&buffer);
        keep(&buffer[..whole], file, tail);
        buffer.drain(..whole);
    }
    // The last line may lack its newline.
    keep(&buffer, file, tail);
}

/// How much of it is whole lines; all of it when one line is too long to wait for its end.
fn whole_lines(buffer: &[u8]) -> usize {
    match buffer.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => end + 1,
        None if buffer.len() >= LONGEST_LINE => buffer.len(),
        None => 0,
    }
}

fn keep(text: &[u8], file: &LogFile, tail: &Mutex<VecDeque<String>>) {
    let Some(text) = text.strip_suffix(b"\n").or((!text.is_empty()).then_some(text)) else { return };
    let lines: Vec<&[u8]> = text
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .flat_map(|line| if line.is_empty() { vec![line] } else { line.chunks(LONGEST_LINE).collect() })
        .collect();
    file.append(&lines);
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    for line in &lines[lines.len().saturating_sub(SHOWN)..] {
        if tail.len() == SHOWN {
            tail.pop_front();
        }
        tail.push_back(String::from_utf8_lossy(line).into_owned());
    }
}
