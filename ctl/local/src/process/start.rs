//! Starting the guard.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::sys::prctl;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Guard, Link};
use crate::error::Error;
use crate::guard::{Order, Report};

/// The guard itself waits ten seconds for its lock.
const START: Duration = Duration::from_secs(15);

/// In the environment of the guard, and so of all that it starts: whose it is.
const MARK: &str = "MSCTL_GUARD";

/// Requests on their way to the guard.
const REQUESTS: usize = 64;

impl Guard {
    /// Starts the guard and waits until it holds its lock. `argv`: command and arguments of the hidden verb.
    pub(crate) async fn start(argv: &[OsString], lock: &Path) -> Result<(Self, Link), Error> {
        let cannot = |why: String| Error::failed("cannot start the guard").why(why);
        let (program, arguments) = argv.split_first().ok_or_else(|| cannot("no command".to_owned()))?;
        let mark = format!("{}-{:08x}", std::process::id(), rand::random::<u32>());
        // What loses both its parent and the guard becomes this process's child: `Link` finds it there.
        prctl::set_child_subreaper(true).map_err(|error| cannot(format!("no subreaper: {error}")))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env(MARK, &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the terminal's foreground group: Ctrl-C is the supervisor's to handle.
            .process_group(0)
            .spawn()
            .map_err(|error| cannot(format!("{}: {error}", program.display())))?;
        let missing = || cannot("it has no pipes".to_owned());
        let mut orders = child.stdin.take().ok_or_else(missing)?;
        let mut reports = BufReader::new(child.stdout.take().ok_or_else(missing)?);

        let mut answer = String::new();
        let ready = async {
            orders.write_all(&line(&Order::Lock { path: lock.to_owned() })?).await?;
            reports.read_line(&mut answer).await
        };
        timeout(START, ready)
            .await
            .map_err(|_| cannot(format!("no answer within {} s", START.as_secs())))?
            .map_err(|error: io::Error| cannot(error.to_string()))?;
        match serde_json::from_str(&answer) {
            Ok(Report::Ready) => {}
            Ok(Report::NotReady { why }) => return Err(cannot(why)),
            Ok(_) | Err(_) if answer.is_empty() => return Err(cannot("it ended at once".to_owned())),
            Ok(_) | Err(_) => return Err(cannot(format!("it answered {}", answer.trim_end()))),
        }
        let (requests, queue) = mpsc::channel(REQUESTS);
        let guard = Self { requests, last: Arc::new(AtomicU64::new(0)) };
        Ok((guard, Link::new(child, orders, reports, queue, format!("{MARK}={mark}"))))
    }
}

/// An order as the guard reads it.
///
/// # Errors
/// For a path that is no UTF-8.
pub(super) fn line(order: &Order) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    Ok(line)
}
