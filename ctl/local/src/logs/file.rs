//! The file of one replica's lines: appended to, cut when it grows too long, done without when the disk is full.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;

use super::{LogLine, Tell, line};
use crate::Event;

/// Above this the oldest half goes.
const LONGEST: u64 = 8 * 1024 * 1024;

/// One line of a replica, without its newline, is split above this; so a service that writes none needs no memory.
pub(super) const LONGEST_LINE: usize = 16 * 1024;

/// On a disk that is nearly full a few bytes fit, and the next ones do not: the log counts as kept once this has been
/// without loss.
const CALM: Duration = Duration::from_secs(1);

pub(crate) struct LogFile {
    path: PathBuf,
    pub(super) service: String,
    pub(super) replica: String,
    live: broadcast::Sender<Arc<LogLine>>,
    tell: Tell,
    longest: u64,
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    /// Opened by the first line, and again after an error.
    file: Option<File>,
    length: u64,
    /// A cut that failed is not tried again before this length.
    no_cut_below: u64,
    last: Option<Timestamp>,
    lost: Option<Lost>,
}

/// While the file can't be written, and a moment longer.
#[derive(Debug)]
struct Lost {
    lines: u64,
    last: Instant,
}

impl std::fmt::Debug for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LogFile {
    pub(super) fn new(
        folder: &Path,
        service: &str,
        replica: &str,
        live: broadcast::Sender<Arc<LogLine>>,
        tell: Tell,
    ) -> Self {
        let path = folder.join(format!("{replica}.log"));
        let (service, replica) = (service.to_owned(), replica.to_owned());
        Self { path, service, replica, live, tell, longest: LONGEST, writer: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn with_longest(mut self, longest: u64) -> Self {
        self.longest = longest;
        self
    }

    /// Keeps the lines and hands them to who follows. Never fails: a service does not end for its log.
    pub(super) fn append(&self, texts: &[&[u8]]) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len() + 32).sum());
        let mut times = Vec::with_capacity(texts.len());
        for text in texts {
            let time = writer.next_time();
            line::write(&mut bytes, time, text);
            times.push(time);
        }
        let event = match writer.write(&self.path, self.longest, &bytes) {
            Ok(()) => writer
                .lost
                .take_if(|lost| lost.last.elapsed() >= CALM)
                .map(|lost| Event::LogKept { replica: self.replica.clone(), lost: lost.lines }),
            Err(error) => {
                let before = writer.lost.as_ref().map(|lost| lost.lines);
                let lines = before.unwrap_or_default() + texts.len() as u64;
                writer.lost = Some(Lost { lines, last: Instant::now() });
                before.is_none().then(|| Event::LogLost { replica: self.replica.clone(), why: error.to_string() })
            }
        };
        drop(writer);
        if let Some(event) = event {
            (self.tell)(event);
        }
        // Asked after the write: who follows from now on finds the lines in the file.
        if self.live.receiver_count() == 0 {
            return;
        }
        for (text, time) in texts.iter().zip(times) {
            let line = String::from_utf8_lossy(text).into_owned();
            let (service, replica) = (self.service.clone(), self.replica.clone());
            // Fails when nobody follows any more.
            let _ = self.live.send(Arc::new(LogLine { service, replica, time, line }));
        }
    }
}

impl Writer {
    /// Now; later than the line before, so that a line is known by its time.
    fn next_time(&mut self) -> Timestamp {
        let now = Timestamp::now();
        // To the microsecond, as it is written.
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let next = match self.last {
            Some(last) if now <= last => last.checked_add(SignedDuration::from_micros(1)).unwrap_or(now),
            _ => now,
        };
        self.last = Some(next);
        next
    }

    fn write(&mut self, path: &Path, longest: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = if let Some(file) = self.file.take() {
            file
        } else {
            let file = File::options().create(true).append(true).open(path)?;
            self.length = file.metadata()?.len();
            file
        };
        if let Err(error) = file.write_all(bytes) {
            // What was written of it goes again: a part of a line, or lines that are counted as lost.
            let _ = file.set_len(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.file = Some(file);
        if self.length > longest.max(self.no_cut_below) {
            match cut(path, self.length / 2) {
                Ok((file, length)) => {
                    (self.file, self.length, self.no_cut_below) = (Some(file), length, 0);
                }
                // As when the disk is nearly full: the lines are there, the next try comes later.
                Err(_) => self.no_cut_below = self.length + longest / 8,
            }
        }
        Ok(())
    }
}

/// Drops the first lines, about `bytes` of them. Readers of the old file read it to its end.
fn cut(path: &Path, bytes: u64) -> io::Result<(File, u64)> {
    let mut old = BufReader::new(File::open(path)?);
    old.seek(SeekFrom::Start(bytes))?;
    // To the start of the next line.
    old.skip_until(b'\n')?;
    let part = path.with_extension("log.part");
    let mut new = File::create(&part)?;
    let copied = io::copy(&mut old, &mut new).and_then(|length| {
        drop(new);
        fs::rename(&part, path)?;
        Ok((File::options().append(true).open(path)?, length))
    });
    if copied.is_err() {
        let _ = fs::remove_file(&part);
    }
    copied
}
