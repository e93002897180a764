//! The guard's end: whatever descends from it is killed and reaped.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Returns when this process has no children.
///
/// Killing a child makes its own children the guard's, so that each round reaches one generation further; a child that
/// was sent SIGKILL can't fork any more.
pub(super) fn end_all() {
    loop {
        for child in children(Pid::this()) {
            // Fails for one that has ended, and for one of another user (setuid), whose own end is then waited for.
            let _ = kill(child, Signal::SIGKILL);
        }
        if !reap() {
            return;
        }
    }
}

/// Waits for one child and takes all that have ended; false when there is none.
fn reap() -> bool {
    let mut flags = None;
    loop {
        match waitpid(None, flags) {
            Err(Errno::ECHILD) => return false,
            Ok(WaitStatus::StillAlive) => return true,
            // EINVAL: one was reaped that had been ended by a signal which nix does not know.
            Ok(_) | Err(_) => flags = Some(WaitPidFlag::WNOHANG),
        }
    }
}

/// From every process's status: `/proc/PID/task/TID/children` is shorter, but not every kernel has it.
fn children(parent: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            parent_in(&status) == Some(parent)
        })
        .collect()
}

/// The fourth field; the second is the program's name in parentheses, and may hold anything.
fn parent_in(status: &str) -> Option<Pid> {
    let (_, fields) = status.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok().map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_does_not_hide_its_parent() {
        assert_eq!(parent_in("71 (a) S 9) R 12 71 71 0"), Some(Pid::from_raw(12)));
        assert_eq!(parent_in(""), None);
    }
}
