//! Ends processes and removes a directory when whoever started them is gone.
//!
//! A parent-death signal is sent at the end of a thread, not of a process, and a destructor does not run in a process
//! that is killed. So a shell waits at the end of a pipe: the kernel closes our end of it however we end.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Error;

/// Reads `+ PID` and `- PID` until the end of its input; then kills what is left and removes the directory.
///
/// A Postgres that was killed leaves its lock file and a segment of shared memory, whose id is in the file's seventh
/// line. What is being killed may still write into the directory, so removing it is tried for ten seconds.
const SCRIPT: &str = r#"
pids=
while read -r sign pid; do
  kept=
  for p in $pids; do [ "$p" = "$pid" ] || kept="$kept $p"; done
  pids=$kept
  [ "$sign" = - ] || pids="$pids $pid"
done
for p in $pids; do kill -s KILL "$p" 2>/dev/null; done
for lock in "$1"/*/postmaster.pid; do
  [ -f "$lock" ] || continue
  segment=$(sed -n '7s/^ *[0-9]* *//p' "$lock")
  i=0
  while [ -n "$segment" ] && [ $i -lt 20 ] && ! ipcrm -m "$segment" 2>/dev/null; do sleep 0.05; i=$((i + 1)); done
done
i=0
while ! rm -rf "$1" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
"#;

/// A temporary directory and processes that do not outlive this process.
#[derive(Debug)]
pub struct Guard {
    folder: PathBuf,
    shell: Mutex<Child>,
}

impl Guard {
    /// Makes a directory `NAME-…` that only this user can read.
    pub fn new(name: &str) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Process ids come back; a directory of an earlier process must not be in the way.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let folder = std::env::temp_dir().join(format!("{name}-{}-{count}-{now:x}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(Error::io("make", &folder))?;
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(&folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the terminal's group of processes; this one has to outlive ours.
            .process_group(0)
            .spawn()
            .map_err(Error::io("start", "sh"))?;
        Ok(Self { folder, shell: Mutex::new(shell) })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on `pid`, a child of this process, dies with this process.
    pub fn watch(&self, pid: u32) {
        self.tell('+', pid);
    }

    /// Call it once `pid` was waited for: the number may soon be another's.
    pub fn forget(&self, pid: u32) {
        self.tell('-', pid);
    }

    fn tell(&self, sign: char, pid: u32) {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        let input: Option<&mut ChildStdin> = shell.stdin.as_mut();
        // A shell that somebody killed guards nothing; nothing else depends on it.
        let _ = input.map(|input| writeln!(input, "{sign} {pid}"));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_dies_with_the_guard_and_what_was_forgotten_does_not() {
        let guard = Guard::new("test-guard").unwrap();
        let folder = guard.folder().to_owned();
        std::fs::write(folder.join("file"), "x").unwrap();
        let [mut watched, mut forgotten] = [0, 1].map(|_| Command::new("sleep").arg("30").spawn().unwrap());
        guard.watch(watched.id());
        guard.watch(forgotten.id());
        guard.forget(forgotten.id());

        drop(guard);

        assert!(!folder.exists());
        assert_eq!(forgotten.try_wait().unwrap(), None);
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
        assert!(!watched.wait().unwrap().success());
    }
}
