//! A credential plugin that hangs: it holds neither Ctrl-C nor a deadline, and who asks no cluster does not run it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Kubeconfig, code, ended, msctl, send, stderr, watched};

/// Every verb that asks a cluster, and the flag that says how long the plugin may take.
const VERBS: [(&[&str], &str); 8] = [
    (&["call", "service-a", "--via", "relay"], "--timeout"),
    (&["trace", "service-a", "--via", "relay"], "--timeout"),
    (&["deploy", "service-a"], "--timeout"),
    (&["deploy", "service-a", "--dry-run=server"], "--timeout"),
    (&["scale", "service-a", "--replicas", "2"], "--timeout"),
    (&["delete", "service-a"], "--timeout"),
    (&["status"], "--request-timeout"),
    (&["logs", "service-a"], "--request-timeout"),
];

/// A kubeconfig whose plugin says that it has started, and then nothing.
struct Plugin {
    config: Kubeconfig,
    started: std::path::PathBuf,
}

impl Plugin {
    fn new(name: &str) -> Self {
        let config = Kubeconfig::new(&format!("plugin-{name}"), 1);
        let started = std::env::temp_dir().join(format!("msctl-plugin-started-{name}-{}", std::process::id()));
        assert!(Command::new("mkfifo").arg(&started).status().unwrap().success());
        let script = format!("exec 2>/dev/null; echo $$ >{}; exec sleep 20", started.display());
        let plugin = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, '{script}'], \
             interactiveMode: Never}}"
        );
        let text = std::fs::read_to_string(config.path()).unwrap();
        std::fs::write(config.path(), text.replace("user: {}", &format!("user: {{{plugin}}}"))).unwrap();
        Self { config, started }
    }

    /// Of msctl, once the plugin runs; and that, which outlives it.
    fn waiting(&self, args: &[&str]) -> (Child, Running) {
        let mut command = msctl(args);
        command.args(["--kubeconfig", self.config.path()]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        // Opens when the plugin does; one that never runs is no reason to wait for ever.
        let path = self.started.clone();
        let said = watched(|| std::fs::read_to_string(&self.started), move || drop(std::fs::write(path, "none")));
        let said = said.unwrap();
        (child, Running(said.trim().parse().expect("the plugin does not run")))
    }
}

/// The plugin's process.
struct Running(u32);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("sh").args(["-c", &format!("kill {}", self.0)]).status();
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.started);
    }
}

#[test]
fn ctrl_c_does_not_wait_for_a_credential_plugin() {
    let plugin = Plugin::new("signal");
    for (verb, _) in VERBS {
        let (child, _running) = plugin.waiting(verb);
        let began = Instant::now();
        send(&child, "INT");
        let output = ended(child);
        assert_eq!(code(&output), 130, "{verb:?}: {}", stderr(&output));
        assert!(began.elapsed() < Duration::from_secs(10), "{verb:?}: {:?}", began.elapsed());
    }
}

#[test]
fn the_deadline_of_a_command_holds_for_a_credential_plugin() {
    let plugin = Plugin::new("deadline");
    for (verb, bound) in VERBS {
        let began = Instant::now();
        let (child, _running) = plugin.waiting(&[verb, &[bound, "3s"]].concat());
        let output = ended(child);
        assert_eq!(code(&output), 70, "{verb:?}: {}", stderr(&output));
        assert!(began.elapsed() < Duration::from_secs(10), "{verb:?}: {:?}", began.elapsed());
    }
}

#[test]
fn a_dry_run_that_asks_no_cluster_runs_no_credential_plugin() {
    let plugin = Plugin::new("none");
    let args = ["deploy", "service-a", "--dry-run=client", "-o", "name", "--kubeconfig", plugin.config.path()];
    let output = msctl(&args).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("deployment.apps/service-a"));
}
