//! A credential plugin that hangs: it holds neither Ctrl-C nor a deadline, and who asks no cluster does not run it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Kubeconfig, code, ended, msctl, send, stderr};

const PATIENCE: Duration = Duration::from_mins(1);

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
        let (path, (done, is_done)) = (self.started.clone(), std::sync::mpsc::channel::<()>());
        let watchdog = std::thread::spawn(move || {
            if is_done.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                std::fs::write(path, "none").unwrap();
            }
        });
        let said = std::fs::read_to_string(&self.started).unwrap();
        drop(done);
        watchdog.join().unwrap();
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
    for verb in [
        &["call", "service-a", "--via", "relay"][..],
        &["trace", "service-a", "--via", "relay"],
        &["deploy", "service-a"],
        &["deploy", "service-a", "--dry-run=server"],
        &["scale", "service-a", "--replicas", "2"],
        &["delete", "service-a"],
        &["status"],
        &["logs", "service-a"],
    ] {
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
    for (verb, bound) in [
        (&["call", "service-a", "--via", "relay"][..], "--timeout"),
        (&["trace", "service-a", "--via", "relay"], "--timeout"),
        (&["deploy", "service-a"], "--timeout"),
        (&["deploy", "service-a", "--dry-run=server"], "--timeout"),
        (&["scale", "service-a", "--replicas", "2"], "--timeout"),
        (&["delete", "service-a"], "--timeout"),
        (&["status"], "--request-timeout"),
        (&["logs", "service-a"], "--request-timeout"),
    ] {
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
