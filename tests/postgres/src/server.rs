//! A server that is started, killed, restarted and stopped.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::{Database, Error, Guard, Options};

/// The recovery after a crash is part of a start.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(20);
/// Between two looks at files that the server writes; it tells nobody.
const LOOK: Duration = Duration::from_millis(5);

/// What a SIGKILL meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kill {
    /// The first process; the others notice, may finish a commit, and end.
    Postmaster,
    /// Every process at the same moment.
    Everything,
}

/// A Postgres server.
#[derive(Debug)]
pub struct Server {
    url: String,
    /// `None` for one that somebody else runs.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    binaries: Binaries,
    account: Account,
    arguments: Vec<String>,
    port: u16,
    /// Dropped before the guard, which removes its files.
    process: Mutex<Option<Child>>,
    guard: Guard,
}

impl Server {
    /// A server of the caller's own, ready for connections; stopped and removed when dropped.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one server")]
    pub fn start(options: Options) -> Result<Self, Error> {
        let binaries = Binaries::find()?;
        let account = Account::choose()?;
        let guard = Guard::new("test-postgres")?;
        account.own(guard.folder())?;
        let mut own = Own {
            binaries,
            account,
            arguments: options.arguments(),
            port: free_port()?,
            process: Mutex::new(None),
            guard,
        };
        own.initialise()?;
        let mut tries = 5;
        while let Err(error) = own.launch() {
            tries -= 1;
            // Between the search and the start, somebody else may have taken the port.
            if tries == 0 || !own.log().contains("could not bind") {
                return Err(error);
            }
            own.port = free_port()?;
        }
        Ok(Self { url: format!("postgres://postgres@127.0.0.1:{}/postgres", own.port), own: Some(own) })
    }

    /// A server that somebody else runs.
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), own: None }
    }

    /// Of its database `postgres`, as a superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A fresh database.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self) -> Database {
        Database::create(&self.url).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Kills the server with SIGKILL, and waits for the end of its first process.
    pub fn kill(&self, what: Kill) -> Result<(), Error> {
        self.own("kill")?.kill(what);
        Ok(())
    }

    /// Starts the server again, at the same address with the same data, and waits until it is ready.
    pub fn restart(&self) -> Result<(), Error> {
        let own = self.own("restart")?;
        own.kill(Kill::Postmaster);
        // Processes of a killed server hold its memory, and connections that are closing its port, for a moment.
        let deadline = Instant::now() + START;
        loop {
            match own.launch() {
                Err(Error::Ended { .. }) if Instant::now() < deadline => std::thread::sleep(LOOK),
                done => return done,
            }
        }
    }

    /// Stops the server as an administrator would: connections end, everything is written.
    pub fn stop(&self) -> Result<(), Error> {
        self.own("stop")?.stop(Signal::SIGINT)
    }

    /// The process id of its first process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.own.as_ref().and_then(|own| own.process().as_ref().map(Child::id))
    }

    /// The process ids of all its processes, the first one's first; for whoever traces them.
    pub fn processes(&self) -> Vec<u32> {
        self.pid().into_iter().flat_map(|pid| std::iter::once(pid).chain(children(pid))).collect()
    }

    /// The directory of its data, for whoever watches its files.
    pub fn data(&self) -> Option<PathBuf> {
        self.own.as_ref().map(Own::data)
    }

    fn own(&self, action: &'static str) -> Result<&Own, Error> {
        self.own.as_ref().ok_or(Error::NotOurs { action })
    }
}

impl Own {
    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn data(&self) -> PathBuf {
        self.guard.folder().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.guard.folder().join("log")
    }

    /// The end of what the server printed since it was last started.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// A command of this server's user, apart from the terminal's signals.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.account.run(&mut command);
        // The tests' directory may be closed to another user, and their environment is not the server's.
        command.current_dir(self.guard.folder()).env_clear().env("LC_ALL", "C").process_group(0);
        command
    }

    fn initialise(&self) -> Result<(), Error> {
        let output = self
            .command(&self.binaries.initdb)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(self.data())
            .output()
            .map_err(Error::io("start", &self.binaries.initdb))?;
        if output.status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Program { program: "initdb", output })
    }

    fn launch(&self) -> Result<(), Error> {
        let mut process = self.process();
        let path = self.log_file();
        let log: File = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&path)
            .map_err(Error::io("write", &path))?;
        let errors = log.try_clone().map_err(Error::io("write", &path))?;
        let mut child = self
            .command(&self.binaries.postgres)
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Error::io("start", &self.binaries.postgres))?;
        self.guard.watch(child.id());
        let deadline = Instant::now() + START;
        while !self.ready(child.id()) {
            if child.try_wait().map_err(Error::io("wait for", &self.binaries.postgres))?.is_some() {
                self.guard.forget(child.id());
                return Err(Error::Ended { log: self.log() });
            }
            if Instant::now() >= deadline {
                let _ = child.kill();
                let _ = child.wait();
                self.guard.forget(child.id());
                return Err(Error::TooSlow { what: "start", within: START, log: self.log() });
            }
            std::thread::sleep(LOOK);
        }
        *process = Some(child);
        Ok(())
    }

    /// Line 1 of the lock file is the process' id, line 8 its state.
    fn ready(&self, pid: u32) -> bool {
        let lock = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<_> = lock.lines().map(str::trim).collect();
        lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn kill(&self, what: Kill) {
        let Some(mut child) = self.process().take() else { return };
        if what == Kill::Everything {
            // Halted first, so that it starts no process that we would not see.
            send(child.id(), Signal::SIGSTOP);
            for pid in children(child.id()) {
                send(pid, Signal::SIGKILL);
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        self.guard.forget(child.id());
    }

    fn stop(&self, signal: Signal) -> Result<(), Error> {
        let Some(mut child) = self.process().take() else { return Ok(()) };
        send(child.id(), signal);
        let deadline = Instant::now() + STOP;
        let ended = loop {
            match child.try_wait() {
                Ok(Some(_)) => break true,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
                _ => break false,
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        self.guard.forget(child.id());
        if ended { Ok(()) } else { Err(Error::TooSlow { what: "stop", within: STOP, log: self.log() }) }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Without a last checkpoint, for data that nobody needs; and unlike SIGKILL it leaves no shared memory.
        let _ = self.stop(Signal::SIGQUIT);
    }
}

fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // A process that is gone needs no signal.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// The children of a process, from /proc; none where there is no /proc.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| parent_of(*pid) == Some(parent))
        .collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `PID (NAME) STATE PARENT …`; a name may hold anything, brackets too.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(Error::io("find a free port on", "127.0.0.1"))
}
