//! What supervisor and guard say to each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Supervisor to guard. Processes are named by the supervisor's own numbers: unlike a pid, none is used twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Order {
    /// The first order: hold this lock while anything may be alive. Answered by `Ready`.
    Lock { path: PathBuf },
    /// Answered by `Spawned` or `NotSpawned`, and in the end by `Exited`.
    Spawn(Command),
    /// To the whole group of a process; ignored when it has ended.
    Signal { id: u64, signal: i32 },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Command {
    pub(crate) id: u64,
    pub(crate) argv: Vec<String>,
    pub(crate) folder: PathBuf,
    /// Over the guard's own environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Opened for writing: stdout and stderr.
    pub(crate) output: PathBuf,
}

/// Guard to supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Report {
    Ready,
    /// It could not take the lock.
    NotReady {
        why: String,
    },
    Spawned {
        id: u64,
        pid: u32,
    },
    NotSpawned {
        id: u64,
        why: String,
    },
    /// One of both; neither when the kernel did not say.
    Exited {
        id: u64,
        code: Option<i32>,
        signal: Option<i32>,
    },
}
