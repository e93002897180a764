//! The harness itself, where no msctl is needed: it has to see what it says that it sees.

use std::process::Command;

use e2e::{Background, Project, eventually, ports, processes};
use nix::sys::signal::Signal;

#[test]
fn local_what_a_project_starts_is_found_whatever_becomes_of_its_parents() {
    let project = Project::new("harness", &["orders"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "setsid setsid sleep 1002 & exec sleep 1003"]);
    project.prepare(&mut shell);
    let parent = Background::start(&mut shell);
    let commands = || {
        let mut commands: Vec<String> = project.processes().iter().map(|process| process.command.join(" ")).collect();
        commands.sort();
        commands
    };
    eventually("both", || match commands() {
        found if found == ["sleep 1002", "sleep 1003"] => Ok(()),
        found => Err(format!("{found:?}")),
    });
    assert!(parent.signal(Signal::SIGKILL));
    drop(parent);
    assert_eq!(commands(), ["sleep 1002"]);
    drop(project);
    assert!(processes::with("MSCTL_E2E_PROJECT", "/no/such/folder").is_empty());
}

#[test]
fn local_a_port_is_given_once_and_is_not_free_while_somebody_listens() {
    let port = ports::free();
    assert_ne!(port, ports::free());
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    assert!(!ports::is_free(port));
    drop(listener);
    assert!(ports::is_free(port));
}
