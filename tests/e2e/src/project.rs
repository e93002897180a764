//! A project of a scenario's own on this machine: a temporary folder with its `msctl.yaml`, and what runs because of it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;

use crate::processes::{self, Process};
use crate::scenario::msctl_path;
use crate::{Run, eventually, failure, ports};

/// In the environment of all that a project starts.
const MARK: &str = "MSCTL_E2E_PROJECT";

/// Dropping it ends what runs and removes the folder; a panic prints what was going on there first.
#[derive(Debug)]
pub struct Project {
    pub name: String,
    pub folder: PathBuf,
    ports: BTreeMap<&'static str, u16>,
}

impl Project {
    /// A and B as in the repository's `msctl.yaml`, with so many replicas each, on ports of their own.
    pub fn of_a_and_b(name: &str, replicas: u32) -> Self {
        let project = Self::new(name, &["service-a", "service-b"]);
        project.write_a_and_b(replicas);
        project
    }

    /// For a project that has the ports of both.
    pub fn write_a_and_b(&self, replicas: u32) {
        let (name, a, b) = (&self.name, self.port("service-a"), self.port("service-b"));
        self.write(&format!(
            "name: {name}
environment: local
services:
  service-a:
    run: service-a
    port: {a}
    values: {{replicas: {replicas}}}
    local:
      env: {{SERVICE_B_URL: 'http://127.0.0.1:{b}', DATABASE_URL: 'sqlite://.msctl/data/service-a.sqlite3'}}
      database: {{kind: null}}
      drain: {{delaySeconds: 0, timeoutSeconds: 5}}
  service-b:
    run: service-b
    port: {b}
    values: {{replicas: {replicas}}}
    local:
      env: {{DATABASE_URL: 'sqlite://.msctl/data/service-b.sqlite3'}}
      database: {{kind: null}}
      drain: {{delaySeconds: 0, timeoutSeconds: 5}}
"
        ));
    }

    /// An empty folder, and a port for each of `services`.
    pub fn new(name: &str, services: &[&'static str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        failure::remember();
        let folder = format!("msctl-e2e-{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let folder = folder.canonicalize().expect("a folder that was just made");
        Self { name: name.to_owned(), folder, ports: services.iter().map(|name| (*name, ports::free())).collect() }
    }

    /// Writes its `msctl.yaml`.
    pub fn write(&self, yaml: &str) {
        self.put("msctl.yaml", yaml);
    }

    pub fn put(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    #[must_use]
    pub fn port(&self, service: &str) -> u16 {
        *self.ports.get(service).unwrap_or_else(|| panic!("the project has no {service}"))
    }

    #[must_use]
    pub fn address(&self, service: &str) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(service)).into()
    }

    /// The state folder.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.folder.join(".msctl")
    }

    pub fn msctl(&self, args: &[&str]) -> Run {
        Run::of(&mut self.msctl_command(args), b"")
    }

    /// In the project's folder, where no cluster is to be had and nothing of the caller's own counts.
    pub fn msctl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(msctl_path());
        command.args(args);
        self.prepare(&mut command);
        command
    }

    /// Makes `command` one of this project's.
    pub fn prepare(&self, command: &mut Command) {
        let own = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["OTEL_", "MSCTL_"].iter().any(|start| name.starts_with(start)) || name.ends_with("_PROXY")
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(own)) {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).env(MARK, &self.folder).env("KUBECONFIG", "/no/such/kubeconfig");
    }

    /// `msctl up --detach`: returns when all is ready.
    #[track_caller]
    pub fn up(&self) -> Run {
        self.msctl(&["up", "--detach"]).ok()
    }

    /// Everything that runs because of it: `up`, its guard, services, commands under way.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        processes::with(MARK, &self.folder.to_string_lossy())
    }

    /// The processes of the replicas of `service`.
    #[must_use]
    pub fn replicas(&self, service: &str) -> Vec<Process> {
        let is_its =
            |process: &Process| process.environment.get("OTEL_SERVICE_NAME").is_some_and(|name| name == service);
        self.processes().into_iter().filter(is_its).collect()
    }

    /// The process that `up --detach` left, by what the state folder says of it.
    #[must_use]
    pub fn supervisor(&self) -> Option<Process> {
        let text = fs::read_to_string(self.state().join("up.json")).ok()?;
        let running: serde_json::Value = serde_json::from_str(&text).ok()?;
        let id = i32::try_from(running["pid"].as_i64()?).ok()?;
        self.processes().into_iter().find(|process| process.id == id)
    }

    /// No process, and no port that somebody listens on.
    #[track_caller]
    pub fn nothing_left(&self) {
        eventually("no process left", || match &self.processes()[..] {
            [] => Ok(()),
            left => Err(list(left)),
        });
        for (service, port) in &self.ports {
            assert!(ports::is_free(*port), "port {port} of {service} is still taken");
        }
    }

    /// What all replicas have written, those that are gone included.
    #[must_use]
    pub fn logs(&self) -> String {
        let mut files: Vec<_> = entries(&self.state().join("logs"));
        files.sort();
        files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
    }

    fn dump(&self) {
        eprintln!("--- {}\n{}", self.folder.display(), list(&self.processes()));
        eprintln!("{}", self.msctl(&["status", "-o", "wide"]));
        for file in entries(&self.state().join("logs")).into_iter().chain(entries(&self.state())) {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {}\n{}", file.display(), lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        failure::explain(|| self.dump());
        if std::env::var_os("MSCTL_E2E_KEEP").is_some() {
            eprintln!("kept: {}", self.folder.display());
            return;
        }
        self.msctl(&["down", "--volumes"]);
        // After a failure; the scenarios themselves assert that nothing is left.
        for process in self.processes() {
            process.signal(Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn list(processes: &[Process]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
