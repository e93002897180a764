//! A and B as processes of this machine.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use test_postgres::Guard;

use super::http;

/// To start and to stop: a drain included.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a process that tells nobody.
const LOOK: Duration = Duration::from_millis(2);

/// Builds both services like this program, when Cargo runs it; else they have to be there.
pub(crate) fn build() {
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--release", "-p", api::a::NAME, "-p", api::b::NAME]);
    let status = command.current_dir(e2e::scenario::project("")).status().expect("cargo");
    assert!(status.success(), "{command:?}: {status}");
}

/// Killed when dropped, and when this process ends.
#[derive(Debug)]
pub(crate) struct Service<'a> {
    name: &'static str,
    child: Child,
    guard: &'a Guard,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl<'a> Service<'a> {
    /// Starts `name` on free ports of the loopback, and waits until it is ready. Its log goes into the guard's folder.
    pub(crate) fn start(name: &'static str, guard: &'a Guard, environment: &[(&str, &str)]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = std::env::current_exe().expect("this program's path").with_file_name(name);
        assert!(program.exists(), "{} is not there: cargo build --release -p {name}", program.display());
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = guard.folder().join(format!("{name}-{number}.log"));
        let output = File::create(&log).expect("a log file");
        let child = Command::new(&program)
            .env_clear()
            .envs([("LISTEN_ADDR", "127.0.0.1:0"), ("ADMIN_ADDR", "127.0.0.1:0"), ("LOG_FORMAT", "json")])
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        guard.watch(child.id());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut service = Self { name, child, guard, log, address: nowhere, admin: nowhere };
        service.wait_until_ready();
        service
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn metrics(&self) -> String {
        let (status, body) = http::get(self.admin, api::admin::METRICS).expect("metrics");
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Asks it to leave, and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("a process that still runs");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "{} does not leave; its log:\n{}", self.name, self.log());
            std::thread::sleep(LOOK);
        };
        assert!(status.success(), "{}: {status}; its log:\n{}", self.name, self.log());
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((address, admin)) = addresses(&self.log()) {
                (self.address, self.admin) = (address, admin);
                if http::get(admin, api::admin::READYZ).is_ok_and(|(status, _)| status == 200) {
                    return;
                }
            }
            let ended = self.child.try_wait().expect("a child").is_some();
            assert!(!ended && Instant::now() < deadline, "{} is not ready; its log:\n{}", self.name, self.log());
            std::thread::sleep(LOOK);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // Both fail for one that has left already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.guard.forget(self.child.id());
    }
}

/// Of the traffic port and the admin port, from the line that tells them.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let field = |name: &str| log.split_once(&format!("\"{name}\":\""))?.1.split_once('"')?.0.parse().ok();
    Some((field("listen")?, field("admin")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_once_the_whole_line_is_there() {
        let line = r#"{"level":"INFO","message":"serving","listen":"127.0.0.1:4000","admin":"127.0.0.1:4001"}"#;

        let (address, admin) = addresses(line).unwrap();

        assert_eq!((address.port(), admin.port()), (4000, 4001));
        assert!(addresses(&line[..line.len() - 3]).is_none());
    }
}
