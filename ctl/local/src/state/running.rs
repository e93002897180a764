//! `up.json`: who runs the project.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who runs a project, and where it is reached. Stays when its process is killed: the socket then refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// The project's name.
    pub project: String,
    pub pid: u32,
    /// The control socket.
    pub socket: PathBuf,
    pub since: Timestamp,
}

impl Running {
    /// Who last took the state folder; none when it ended in order, or never was.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file(folder)).ok()?).ok()
    }

    pub(super) fn this(project: &str, socket: &Path) -> Self {
        let (project, socket) = (project.to_owned(), socket.to_owned());
        Self { project, pid: process::id(), socket, since: Timestamp::now() }
    }

    /// Whole or not at all: others read it at any moment.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let part = folder.join("up.json.part");
        fs::write(&part, serde_json::to_vec(self)?)?;
        fs::rename(part, file(folder))
    }

    pub(super) fn remove(folder: &Path) -> io::Result<()> {
        fs::remove_file(file(folder))
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("up.json")
}
