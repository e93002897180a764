//! Projects and environments: what is decided before anybody is asked.

use std::path::PathBuf;
use std::process::Output;

use crate::{Kubeconfig, code, msctl, silent_server, stderr};

/// A folder with an msctl.yaml, removed when dropped.
struct Project(PathBuf);

impl Project {
    fn new(test: &str, yaml: &str) -> Self {
        let path = std::env::temp_dir().join(format!("msctl-project-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("msctl.yaml"), yaml).unwrap();
        Self(path)
    }

    fn run(&self, args: &[&str]) -> Output {
        msctl(args).current_dir(&self.0).output().unwrap()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SHOP: &str = "name: shop\nservices:\n  orders: {run: no-such-program, port: 18099}\n\
                    environments:\n  staging: {context: dev, namespace: other}\n";

#[test]
fn nothing_up_is_an_error_with_the_command_that_starts_it() {
    let project = Project::new("nothing-up", SHOP);
    for args in [
        &["status", "--local"][..],
        &["logs", "--local"],
        &["call", "orders", "-e", "local"],
        &["--local", "scale", "orders", "--replicas", "2"],
        &["delete", "orders", "--local"],
        &["trace", "orders", "--local"],
    ] {
        let output = project.run(args);
        assert_eq!(code(&output), 1, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("shop is not up on this machine"), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("next: msctl up\n"), "{args:?}: {}", stderr(&output));
    }
    let output = project.run(&["down"]);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, "shop is not up\n"));
}

#[test]
fn without_a_project_there_is_nothing_local() {
    let output = msctl(&["up"]).current_dir("/").output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no msctl.yaml here") && stderr(&output).contains("--project FILE"));
    let output = msctl(&["status", "--local"]).current_dir("/").output().unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}

#[test]
fn a_broken_msctl_yaml_is_told_by_line_and_column_before_anything_starts() {
    let project = Project::new("broken", "services:\n  orders:\n    rum: x\n    port: 80\n");
    for args in [&["up"][..], &["up", "--detach"], &["status"], &["deploy", "orders"]] {
        let output = project.run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stderr(&output).contains("msctl.yaml:3:5:"), "{}", stderr(&output));
    }
    assert!(!project.0.join(".msctl").exists());
}

#[test]
fn a_program_that_is_missing_is_told_before_anything_starts() {
    let project = Project::new("program", SHOP);
    for args in [&["up"][..], &["up", "--detach"]] {
        let output = project.run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stderr(&output).contains("there is no program `no-such-program`"), "{}", stderr(&output));
    }
    assert!(!project.0.join(".msctl").exists());
}

#[test]
fn an_environment_pins_its_context_and_namespace() {
    let (_listener, port) = silent_server();
    let config = Kubeconfig::new("pinned", port);
    let project = Project::new("pinned", SHOP);
    let run = |args: &[&str]| project.run(&[&["--kubeconfig", config.path()], args].concat());
    let output = run(&["deploy", "service-a", "-e", "staging", "--context", "production"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("environment staging is pinned to context dev"), "{}", stderr(&output));
    let output = run(&["deploy", "service-a", "-e", "staging", "--dry-run=client", "-o", "yaml"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains("namespace: other") && !text.contains("namespace: shop"), "{text}{}", stderr(&output));
}

#[test]
fn the_commands_to_run_next_mean_the_same_environment() {
    let (_listener, port) = silent_server();
    let config = Kubeconfig::new("aimed", port);
    let project = Project::new("aimed", SHOP);
    let line = ["--kubeconfig", config.path(), "deploy", "orders", "-e", "staging"];
    let output = project.run(&line);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("next: msctl deploy -e staging orders --image REPO:TAG"), "{}", stderr(&output));
}
