//! What runs on this machine because of a project: found in /proc, past msctl.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process, as /proc shows it.
#[derive(Debug, Clone)]
pub struct Process {
    pub id: i32,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
}

/// The processes whose environment has `name=value`. All that a process starts inherits it, whatever becomes of its
/// parents, group and session.
#[must_use]
pub fn with(name: &str, value: &str) -> Vec<Process> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<i32>().ok()
    });
    numbers
        .filter_map(read)
        .filter(|process| process.environment.get(name).is_some_and(|found| found == value))
        .collect()
}

/// None when it has ended.
fn read(id: i32) -> Option<Process> {
    let environment = fs::read(format!("/proc/{id}/environ")).ok()?;
    let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let words = |bytes: &[u8]| -> Vec<String> {
        let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    };
    let environment = words(&environment)
        .into_iter()
        .filter_map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    Some(Process { id, command: words(&command), environment })
}

impl Process {
    /// The replica that it is; none for msctl's own processes.
    #[must_use]
    pub fn replica(&self) -> Option<&str> {
        self.environment.get("POD_NAME").map(String::as_str)
    }

    #[must_use]
    pub fn is_msctl(&self) -> bool {
        self.replica().is_none() && self.command.first().is_some_and(|program| program.ends_with("msctl"))
    }

    /// False when it was gone already.
    pub fn signal(&self, signal: Signal) -> bool {
        kill(Pid::from_raw(self.id), signal).is_ok()
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let replica = self.replica().map(|name| format!(" ({name})")).unwrap_or_default();
        write!(f, "{}{replica}: {}", self.id, self.command.join(" "))
    }
}
