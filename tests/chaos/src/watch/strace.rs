//! A tracer beside processes that run.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use test_postgres::Guard;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::error::{Failure, Result};

/// What writes and what syncs.
const CALLS: &str = "trace=write,writev,pwrite64,pwritev,sendto,sendmsg,fdatasync,fsync";
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether a process is gone, or only its parent keeps it: `proc_pid_stat(5)`, the field after the name in parentheses.
fn has_ended(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .map_or(true, |stat| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X'])))
}

/// A tracer; when it ends, however it ends, the traced go on without it.
#[derive(Debug)]
pub(crate) struct Strace {
    child: Child,
    output: PathBuf,
}

impl Strace {
    /// Follows the processes `ids`, all their threads, and all that they start.
    pub(crate) async fn attach(ids: &[u32], guard: &Guard) -> Result<Self> {
        let action = "trace system calls";
        let output = guard.folder().join("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-ttt", "-s", "70000", "-e", CALLS, "-o"]).arg(&output);
        for id in ids {
            command.args(["-p", &id.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(Failure::to("start strace"))?;
        let stderr = child.stderr.take().ok_or_else(|| Failure::new(action, "strace has no stderr"))?;
        let mut lines = BufReader::new(stderr).lines();
        let mut missing: Vec<(u32, [String; 2])> = ids
            .iter()
            .map(|id| (*id, [format!("Process {id} attached"), format!(" {id}): No such process")]))
            .collect();
        let attached = async {
            while !missing.is_empty() {
                match lines.next_line().await {
                    // Postgres has processes that come and go.
                    Ok(Some(line)) if line.contains(" attached") || line.ends_with("No such process") => {
                        missing.retain(|(_, texts)| !texts.iter().any(|text| line.contains(text)));
                    }
                    // What the kernel answers for one that has ended and is not reaped yet.
                    Ok(Some(line)) if line.ends_with("Operation not permitted") => {
                        let refused = |id: u32| line.contains(&format!(" {id}):"));
                        let before = missing.len();
                        missing.retain(|(id, _)| !(refused(*id) && has_ended(*id)));
                        if missing.len() == before {
                            return Err(Failure::new(action, line));
                        }
                    }
                    Ok(Some(line)) => return Err(Failure::new(action, line)),
                    _ => return Err(Failure::new(action, "strace ended")),
                }
            }
            Ok(())
        };
        timeout(PATIENCE, attached).await.map_err(|_| Failure::new(action, "strace did not attach in time"))??;
        // It tells every new thread; unread, the pipe would fill and hold the traced up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, output })
    }

    /// Ends the tracer; what it has written.
    pub(crate) async fn finish(mut self) -> Result<String> {
        let action = "end strace";
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            kill(Pid::from_raw(id), Signal::SIGINT).map_err(Failure::to(action))?;
        }
        timeout(PATIENCE, self.child.wait()).await.map_err(Failure::to(action))?.map_err(Failure::to(action))?;
        let bytes =
            tokio::task::spawn_blocking(move || std::fs::read(self.output)).await.map_err(Failure::to(action))?;
        Ok(String::from_utf8_lossy(&bytes.map_err(Failure::to("read the trace"))?).into_owned())
    }
}
