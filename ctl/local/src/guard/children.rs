//! The guard's children: started, signalled as groups, reaped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::message::{Command, Report};
use super::sweep;

/// The variable with the name of the replica, which no other has.
const REPLICA: &str = "POD_NAME";

/// Looks at what a replica leaves: SIGKILL takes a moment, and whoever forks meanwhile needs another look.
const ROUNDS: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Children {
    /// Those that were ordered, by the supervisor's number.
    ordered: BTreeMap<u64, Child>,
    /// What their processes have in their environment: see [`sweep::end_marked`].
    marks: BTreeMap<u64, String>,
}

impl Children {
    pub(super) fn spawn(&mut self, command: &Command) -> Report {
        match spawn(command) {
            Ok(child) => {
                let pid = child.id();
                self.ordered.insert(command.id, child);
                if let Some(replica) = command.env.get(REPLICA) {
                    self.marks.insert(command.id, format!("{REPLICA}={replica}"));
                }
                Report::Spawned { id: command.id, pid }
            }
            Err(error) => Report::NotSpawned { id: command.id, why: reason(command, &error) },
        }
    }

    /// A child is in the map until it is reaped, so its pid is its own.
    pub(super) fn signal(&self, id: u64, signal: i32) {
        if let (Some(child), Ok(signal)) = (self.ordered.get(&id), Signal::try_from(signal)) {
            // Fails only when the group is gone already.
            let _ = killpg(pid(child), signal);
        }
    }

    /// Takes what has ended: ordered children, whose groups end with them, and orphans that came to the guard.
    pub(super) fn reap(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        let ended: Vec<u64> =
            self.ordered.iter().filter(|(_, child)| has_ended(pid(child))).map(|(id, _)| *id).collect();
        for id in ended {
            let Some(mut child) = self.ordered.remove(&id) else { continue };
            // Before it is reaped: until then nothing else can get its number. What it leaves running would hold its
            // ports and files against its successor.
            let _ = killpg(pid(&child), Signal::SIGKILL);
            let status = child.wait().ok();
            if let Some(mark) = self.marks.remove(&id) {
                sweep::end_marked(&mark, ROUNDS);
            }
            reports.push(Report::Exited {
                id,
                code: status.and_then(|status| status.code()),
                signal: status.and_then(|status| status.signal()),
            });
        }
        self.reap_orphans();
        reports
    }

    fn reap_orphans(&self) {
        loop {
            let pid = match waitid(Id::All, peek()) {
                // Ended since: its SIGCHLD is pending, the next round takes it.
                Ok(status)
                    if status.pid().is_none_or(|pid| self.ordered.values().any(|child| self::pid(child) == pid)) =>
                {
                    return;
                }
                Ok(status) => status.pid(),
                // Ended by a signal that nix does not know, a real-time one.
                Err(Errno::EINVAL) if !self.ordered.values().any(|child| has_ended(self::pid(child))) => None,
                Err(_) => return,
            };
            if waitpid(pid, Some(WaitPidFlag::WNOHANG)) == Err(Errno::ECHILD) {
                return;
            }
        }
    }
}

fn pid(child: &Child) -> Pid {
    // Pids are positive and far below the limit of i32.
    Pid::from_raw(child.id().cast_signed())
}

/// Look, but leave it to be reaped.
fn peek() -> WaitPidFlag {
    WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT
}

fn has_ended(pid: Pid) -> bool {
    // An error is a status that nix can't name, or a child that is gone: ended, both.
    !matches!(waitid(Id::Pid(pid), peek()), Ok(WaitStatus::StillAlive))
}

fn spawn(command: &Command) -> io::Result<Child> {
    let output = File::options().append(true).open(&command.output)?;
    let (program, arguments) = command.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    std::process::Command::new(program)
        .args(arguments)
        .current_dir(&command.folder)
        .envs(&command.env)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
}

/// The kernel's answer names no file; what is missing may be the program, its interpreter or the folder.
fn reason(command: &Command, error: &io::Error) -> String {
    let program = command.argv.first().map_or("", String::as_str);
    let folder = command.folder.display();
    match error.kind() {
        _ if !command.output.exists() => format!("cannot open {}: {error}", command.output.display()),
        _ if !command.folder.is_dir() => format!("its folder {folder} does not exist"),
        io::ErrorKind::NotFound if std::path::Path::new(program).exists() => {
            format!("the interpreter that {program} names does not exist")
        }
        io::ErrorKind::NotFound => format!("{program} does not exist"),
        io::ErrorKind::PermissionDenied => format!("{program} may not be executed, or {folder} not entered"),
        _ if error.raw_os_error() == Some(Errno::ENOEXEC as i32) => {
            format!("{program} is not a program: a script needs a first line such as #!/bin/sh")
        }
        _ => format!("cannot execute {program}: {error}"),
    }
}
