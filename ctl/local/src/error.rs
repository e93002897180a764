//! One error for every operation: it crosses the control socket whole, so that `msctl` prints it as if it had been its own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What failed, why, the log lines that belong to it, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Error {
    pub kind: Kind,
    /// The action and its object: "cannot deploy service-a".
    pub what: String,
    /// Causes, the nearest first.
    #[serde(default)]
    pub why: Vec<String>,
    #[serde(default)]
    pub log: Option<Box<Quote>>,
    /// Commands to run next, or what to change.
    #[serde(default)]
    pub next: Vec<String>,
}

/// Lines that belong to an error, under a title: a replica's last ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quote {
    pub title: String,
    pub lines: Vec<String>,
}

/// What a script has to tell apart: each has an exit code of its own in `msctl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// What was asked for makes no sense; nothing was tried.
    Usage,
    Failed,
    /// Nobody runs the project.
    NotUp,
    /// Somebody else ends the services meanwhile.
    Stopped,
    /// A replica can't become ready.
    RolloutFailed,
    TimedOut,
    /// No such service.
    NotFound,
    /// Something else holds it: a port, the state folder.
    Conflict,
}

impl Error {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: Vec::new(), log: None, next: Vec::new() }
    }

    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what)
    }

    /// A cause; several may be given, the nearest first.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Lines to show with it, unless there are none.
    #[must_use]
    pub fn log(mut self, title: impl Into<String>, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            self.log = Some(Box::new(Quote { title: title.into(), lines }));
        }
        self
    }

    /// The command to run next, or what to change.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for why in &self.why {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
