//! A project of a test's own: its folder, its ports, and what its processes are known by.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use local::names::Names;
use local::{Ended, Error, Event, Net, Probe, ServiceSpec, StateFolder, Supervisor, Telemetry, Up};
use tokio::sync::mpsc;

use crate::service;

pub(crate) const GUARD: &str = "role:guard";

/// The machine may be busy.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// In the environment of every process of a project.
const MARK: &str = "LOCAL_TEST_PROJECT";

#[derive(Debug)]
pub(crate) struct Project {
    folder: PathBuf,
}

/// A supervisor that runs in the test's own process.
pub(crate) struct Running {
    pub(crate) supervisor: Supervisor,
    pub(crate) ended: Ended,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Project {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("msctl-local-processes-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// One that another process made.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join(".msctl")
    }

    pub(crate) fn spec(&self, name: &str, replicas: u32) -> ServiceSpec {
        let probe = |path: &str, period_ms, failures| Probe {
            path: Some(path.to_owned()),
            admin: true,
            period_ms,
            timeout_ms: 5000,
            failures,
        };
        ServiceSpec {
            name: name.to_owned(),
            argv: vec![env::current_exe().unwrap().display().to_string(), service::ROLE.to_owned()],
            folder: self.folder.clone(),
            port: free_port(),
            admin: true,
            replicas,
            env: BTreeMap::from([(MARK.to_owned(), self.mark())]),
            startup: probe("/livez", 1000, 30),
            readiness: probe("/readyz", 100, 3),
            liveness: probe("/livez", 10_000, 3),
            drain_delay_ms: 5000,
            stop_timeout_ms: 5000,
            version: "1.0.0".to_owned(),
        }
    }

    pub(crate) async fn start(&self, specs: Vec<ServiceSpec>) -> Result<Running, Error> {
        let state = StateFolder::open(&self.state(), "shop").await?;
        let net = Net { names: Names::new("shop"), proxy: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)) };
        let telemetry = Telemetry { endpoint: "http://127.0.0.1:4318".to_owned() };
        let guard = vec![OsString::from(env::current_exe().unwrap()), OsString::from(GUARD)];
        let (sender, events) = mpsc::channel(4096);
        let up = Up { namespace: "shop".to_owned(), state, specs, guard, telemetry };
        let (supervisor, ended) = Supervisor::start(up, net, sender).await?;
        Ok(Running { supervisor, ended, events })
    }

    /// Started, and everything ready.
    pub(crate) async fn up(&self, specs: Vec<ServiceSpec>) -> Running {
        let running = self.start(specs).await.unwrap();
        running.supervisor.started().await.unwrap();
        running
    }

    fn mark(&self) -> String {
        self.folder.display().to_string()
    }

    /// Processes with this project's mark, whoever their parent is.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = format!("{MARK}={}\0", self.mark());
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark.as_bytes())
        })
        .collect()
    }

    /// Fails when a process is left after a while.
    pub(crate) fn assert_nothing_left(&self) {
        wait("no process is left", || self.processes().is_empty());
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Running {
    /// The events so far.
    pub(crate) fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok()).map(|event| event.to_string()).collect()
    }

    pub(crate) async fn stop(self) {
        self.supervisor.stop(nobody()).await;
        self.ended.await.unwrap();
    }
}

/// The same service with a variable of its own.
pub(crate) fn with(spec: &ServiceSpec, name: &str, value: &str) -> ServiceSpec {
    let mut spec = spec.clone();
    spec.env.insert(name.to_owned(), value.to_owned());
    spec
}

/// Who asks for an operation, and reads no events.
pub(crate) fn nobody() -> mpsc::Sender<Event> {
    mpsc::channel(4096).0
}

/// Runs a test on a runtime as `msctl`'s.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

pub(crate) fn wait(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Not one that the kernel gives to connections, nor one of replicas.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        // Each test process starts elsewhere.
        let port = u16::try_from(10_000 + (process::id() * 97 + next) % 9_000).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The body of a good answer.
pub(crate) fn get(port: u16, path: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(LONG)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(format!("answered {answer:?}")),
    }
}
