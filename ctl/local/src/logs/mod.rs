//! What replicas wrote to stdout and stderr: kept in files, read and followed.
//!
//! A replica writes into a pipe, and a thread of the supervisor's carries its lines into the file. So a full disk never
//! stops a service, each line has the time at which it came, and the file can be cut while it is written.

mod capture;
mod file;
mod follow;
mod history;
mod line;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{Error, Event};

pub(crate) use capture::{Capture, Tail};
pub(crate) use file::LogFile;

/// Lines that a slow reader may be behind before it reads the files again.
const BEHIND: usize = 4096;

/// Files kept of a service's replicas that have ended.
const ENDED: usize = 10;

/// One line of a replica, without its newline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogLine {
    pub service: String,
    pub replica: String,
    /// When the supervisor read it; no two lines of a replica have the same.
    pub time: Timestamp,
    pub line: String,
}

/// Which lines are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Options {
    /// Go on with lines as they come, also those of replicas that start later.
    pub follow: bool,
    /// The last so many lines of each replica only.
    pub tail: Option<usize>,
    /// Lines of the last so long only, in milliseconds.
    pub since_ms: Option<u64>,
}

impl Options {
    pub fn since(&self) -> Option<Duration> {
        self.since_ms.map(Duration::from_millis)
    }
}

/// Where the lines of replicas are written and read; a cheap handle.
#[derive(Debug, Clone)]
pub struct Logs {
    folder: Arc<PathBuf>,
    live: broadcast::Sender<Arc<LogLine>>,
    /// Of replicas that have not ended.
    files: Arc<Mutex<BTreeMap<String, Arc<LogFile>>>>,
}

/// Where what happens to a log is told.
pub(crate) type Tell = Arc<dyn Fn(Event) + Send + Sync>;

impl Logs {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder: Arc::new(folder), live: broadcast::Sender::new(BEHIND), files: Arc::default() }
    }

    /// The lines of these services in order of time, those of replaced replicas included. Without `follow` it ends.
    pub fn read(&self, services: Vec<String>, options: &Options) -> BoxStream<'static, Result<LogLine, Error>> {
        follow::read(self, services, options)
    }

    /// The log of a replica that starts.
    pub(crate) fn open(&self, service: &str, replica: &str, tell: Tell) -> Arc<LogFile> {
        let file = Arc::new(LogFile::new(&self.folder, service, replica, self.live.clone(), tell));
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(replica.to_owned(), file.clone());
        let alive: Vec<&String> = files.keys().collect();
        self.prune(service, &alive);
        file
    }

    /// The replica has ended for good; its file stays, for a while.
    pub(crate) fn close(&self, replica: &str) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(replica);
    }

    /// Where a replica's lines are.
    pub(crate) fn path(&self, replica: &str) -> PathBuf {
        self.folder.join(format!("{replica}.log"))
    }

    /// Removes the oldest files of replicas that have ended, but for the last few.
    fn prune(&self, service: &str, alive: &[&String]) {
        let mut ended: Vec<(SystemTime, PathBuf)> = self
            .files_of(&[service.to_owned()])
            .into_iter()
            .filter(|source| !alive.contains(&&source.replica))
            .filter_map(|source| Some((fs::metadata(&source.path).ok()?.modified().ok()?, source.path)))
            .collect();
        ended.sort();
        let surplus = ended.len().saturating_sub(ENDED);
        for (_, path) in ended.into_iter().take(surplus) {
            // A file too many harms nobody.
            let _ = fs::remove_file(path);
        }
    }

    /// The files of these services' replicas.
    fn files_of(&self, services: &[String]) -> Vec<Source> {
        let Ok(entries) = fs::read_dir(&*self.folder) else { return Vec::new() };
        entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let replica = path.file_name()?.to_str()?.strip_suffix(".log")?.to_owned();
                let service = service_of(&replica)?.to_owned();
                services.contains(&service).then_some(Source { path, service, replica })
            })
            .collect()
    }
}

/// A file of a replica's lines.
#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    service: String,
    replica: String,
}

/// A replica's name is its service's with a number and a random part: `service-a-1-x7k2f`.
fn service_of(replica: &str) -> Option<&str> {
    let (rest, _) = replica.rsplit_once('-')?;
    rest.rsplit_once('-').map(|(service, _)| service)
}
