//! The guard's end: whatever descends from it is killed and reaped.

use std::fs;
use std::time::Duration;

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

/// Kills what descends from this process and has `mark`, `NAME=value`, in its environment, until there is no more of it
/// or that was tried so often. True when nothing is left. Leaves the dead to be reaped.
///
/// A process that cleared its environment is not found.
pub(crate) fn end_marked(mark: &str, rounds: usize) -> bool {
    for _ in 0..rounds {
        let found: Vec<Pid> = descendants(Pid::this()).into_iter().filter(|pid| has(*pid, mark)).collect();
        if found.is_empty() {
            return true;
        }
        for pid in found {
            let _ = kill(pid, Signal::SIGKILL);
        }
        // Until they are dead; their environment is gone then.
        std::thread::sleep(MOMENT);
    }
    false
}

const MOMENT: Duration = Duration::from_millis(2);

fn has(pid: Pid, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

fn descendants(ancestor: Pid) -> Vec<Pid> {
    let all = processes();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

fn children(parent: Pid) -> Vec<Pid> {
    processes().into_iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid).collect()
}

/// Each process and its parent.
///
/// From every process's status: `/proc/PID/task/TID/children` is shorter, but not every kernel has it.
fn processes() -> Vec<(Pid, Pid)> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((Pid::from_raw(pid), parent_in(&status)?))
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
