//! What can go wrong with `msctl up`: a clear error each, and nothing left behind.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use e2e::exit::{FAILED, ROLLOUT_FAILED, USAGE};
use e2e::{Background, Project, ports};
use nix::sys::signal::Signal;

/// A project with one service of its own, whose `run:` is told; `more` are further keys of it.
fn one(name: &str, run: &str, more: &str) -> Project {
    let project = Project::new(name, &["orders"]);
    let port = project.port("orders");
    project.write(&format!(
        "name: {name}\nenvironment: local\nservices:\n  orders:\n    run: {run}\n    port: {port}\n{more}"
    ));
    project
}

#[test]
fn local_a_port_in_use_is_told_with_its_holder_before_anything_starts() {
    let project = Project::of_a_and_b("port", 1);
    let _holder = TcpListener::bind(project.address("service-b")).expect("a free port");
    let this = std::process::id().to_string();
    let program = std::env::current_exe().expect("a path").file_name().expect("a name").to_string_lossy().into_owned();
    let port = project.port("service-b").to_string();
    for up in [&["up"][..], &["up", "--detach"]] {
        let run = project.msctl(up).code_is(FAILED).says(&["service-b", &port, &this, &program]);
        assert!(!run.stderr.contains("starting"), "{run}");
        assert_eq!(project.processes().len(), 0);
    }
    assert!(ports::is_free(project.port("service-a")));
    assert_eq!(project.logs(), "");
}

#[test]
fn local_a_missing_program_is_named() {
    for (run, said) in [("no-such-program --x", "no-such-program"), ("./no/such/file", "no/such/file")] {
        let project = one("missing", run, "");
        project.msctl(&["up", "--detach"]).code_is(USAGE).says(&["orders", said]);
        project.nothing_left();
    }
}

#[test]
fn local_a_program_that_cannot_be_run_is_named() {
    let project = one("format", "./program", "");
    project.put("program", "no program at all\n");
    project.msctl(&["up", "--detach"]).code_is(USAGE).says(&["orders", "program"]);
    project.nothing_left();
}

#[test]
fn local_a_program_that_crashes_at_once_is_told_with_its_last_lines() {
    let script = r#"[sh, -c, "echo first line; echo the cause of it all >&2; exit 7"]"#;
    for up in [&["up"][..], &["up", "--detach"]] {
        let project = one("crash", script, "");
        let run = project.msctl(up);
        assert!(run.took < Duration::from_mins(1), "{run}");
        run.code_is(ROLLOUT_FAILED).says(&["orders", "exit", "7", "the cause of it all"]);
        project.nothing_left();
    }
}

#[test]
fn local_a_service_that_never_becomes_ready_is_told_with_what_its_probe_got() {
    let probes = "    values: {probes: {startup: {periodSeconds: 1, failureThreshold: 1}}}\n";
    let project = one("never", "sleep 1000", probes);
    let run = project.msctl(&["up", "--detach"]);
    assert!(run.took < Duration::from_mins(1), "{run}");
    run.code_is(ROLLOUT_FAILED).says(&["orders", "nobody listens"]);
    project.nothing_left();
}

#[test]
fn local_a_broken_file_is_told_with_line_and_column() {
    let cases = [
        ("services:\n  orders:\n    run: sleep 1\n    prt: 1\n", &["4:5", "prt", "port"][..]),
        ("services:\n  orders:\n    run: sleep 1\n    port: 70000\n", &["4:11", "65535"]),
        ("services:\n  orders: {run: sleep 1, port: 1\n", &["msctl.yaml:"]),
        ("services: {}\n", &["1:1", "services"]),
        ("services:\n  Orders: {run: sleep 1, port: 1}\n", &["2:3", "Orders"]),
        ("services:\n  orders: {run: sleep 1 && true, port: 1}\n", &["2:", "&&"]),
        ("", &["msctl.yaml", "services"]),
    ];
    let project = Project::new("broken", &[]);
    for (yaml, said) in cases {
        project.write(yaml);
        for verb in [&["up", "--detach"][..], &["status", "--local"], &["down"]] {
            project.msctl(verb).code_is(USAGE).says(&[&["msctl.yaml"], said].concat());
        }
        assert_eq!(project.processes().len(), 0);
        assert!(!project.state().exists(), "nothing was to be written");
    }
}

#[test]
fn local_a_link_in_the_place_of_the_state_folder_is_refused_and_not_followed() {
    let project = Project::of_a_and_b("link", 1);
    let other = project.folder.join("other");
    std::fs::create_dir(&other).expect("a folder");
    std::os::unix::fs::symlink(&other, project.state()).expect("a link");
    for up in [&["up"][..], &["up", "--detach"]] {
        project.msctl(up).code_is(FAILED).says(&["symbolic link"]);
    }
    assert_eq!(std::fs::read_dir(&other).expect("it is there").count(), 0, "nothing was written where it leads");
    std::fs::remove_file(project.state()).expect("it is still the link");
}

#[test]
fn local_a_service_that_was_deleted_is_not_mistaken_for_another() {
    let project = Project::of_a_and_b("deleted", 1);
    project.up();
    project.msctl(&["delete", "service-b"]).ok();
    project.msctl(&["scale", "service-b", "--replicas", "2"]).code_is(FAILED).says(&["next: msctl deploy service-b"]);
    project.msctl(&["call", "service-b"]).code_is(FAILED).says(&["next: msctl deploy service-b"]);
    project.msctl(&["deploy", "service-b"]).ok();
    project.msctl(&["call", "service-b"]).ok();
    let full = format!("service-b.{}.svc.cluster.local", project.name);
    project.msctl(&["call", &full]).ok().prints("Hello, ServiceB!");
}

#[test]
fn local_a_second_up_says_where_the_first_one_runs() {
    let project = Project::of_a_and_b("second", 1);
    project.up();
    let first = project.supervisor().expect("a process of up's").id.to_string();
    let count = project.processes().len();
    for up in [&["up"][..], &["up", "--detach"]] {
        project.msctl(up).code_is(FAILED).says(&["up already", &first, ".msctl", "next: msctl"]);
    }
    assert_eq!(project.processes().len(), count);
    project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
}

#[test]
fn local_of_two_at_the_same_moment_one_is_up() {
    let project = Project::of_a_and_b("race", 1);
    let start = || Background::start(&mut project.msctl_command(&["up", "--detach"]));
    let both = [start(), start(), start()].map(Background::end);
    let codes: Vec<_> = both.iter().map(|run| run.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{both:#?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(FAILED)).count(), 2, "{both:#?}");
    project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
    assert_eq!(project.replicas("service-a").len(), 1);
}

#[test]
fn local_verbs_say_that_nothing_is_up_and_how_to_change_it() {
    let project = Project::of_a_and_b("nothing", 1);
    let verbs: [&[&str]; 7] = [
        &["status"],
        &["deploy", "service-a"],
        &["scale", "service-a", "--replicas", "2"],
        &["call", "service-a"],
        &["logs", "service-a"],
        &["trace", "service-a"],
        &["delete", "service-a"],
    ];
    for verb in verbs {
        project.msctl(&[verb, &["--local"]].concat()).code_is(FAILED).says(&["not up", "next: msctl up"]);
    }
    assert!(!project.state().exists(), "asking changes nothing");
    // The same of one that was killed: its files are there still.
    project.up();
    let up = project.supervisor().expect("a process of up's");
    assert!(up.signal(Signal::SIGKILL));
    project.nothing_left();
    for verb in verbs {
        project.msctl(verb).code_is(FAILED).says(&["msctl up", "next: msctl up"]);
    }
}

#[test]
fn local_flags_that_mean_a_cluster_are_refused() {
    let project = Project::of_a_and_b("flags", 1);
    project.up();
    for flag in [&["--context", "other"][..], &["-n", "shop"], &["--kubeconfig", "/no/such/file"], &["--as", "eve"]] {
        let run = project.msctl(&[&["status", "--local"], flag].concat());
        run.code_is(USAGE).says(&[flag[0].trim_start_matches('-')]);
    }
    // Of a folder that has no project.
    let mut elsewhere = project.msctl_command(&["status", "--local"]);
    elsewhere.current_dir("/");
    e2e::Run::of(&mut elsewhere, b"").code_is(USAGE).says(&["msctl.yaml"]);
    // By name, from there.
    let file = project.folder.join("msctl.yaml");
    for place in [&project.folder, &file] {
        let mut named = project.msctl_command(&["status", "--project", &place.to_string_lossy(), "-o", "name"]);
        named.current_dir("/");
        e2e::Run::of(&mut named, b"").ok().prints("process/service-a\nprocess/service-b\n");
    }
}

/// In a mount namespace of its own, where the project's disk is one of a megabyte.
#[test]
fn local_a_full_disk_is_said_and_stops_nobody_who_runs_already() {
    const SCRIPT: &str = "
        mkdir disk && mount -t tmpfs -o size=1m tmpfs disk && cp msctl.yaml disk && cd disk || exit
        fill() { dd if=/dev/zero of=fill bs=4k >/dev/null 2>&1; }
        fill; $MSCTL_PROGRAM up --detach; echo full: $?
        rm -f fill; $MSCTL_PROGRAM up --detach; echo free: $?
        fill; for _ in 1 2 3; do $MSCTL_PROGRAM call service-a/service-b; echo; done
        $MSCTL_PROGRAM status; echo status: $?
        $MSCTL_PROGRAM down --volumes; echo down: $?
        ls -A";
    let project = Project::of_a_and_b("full", 1);
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", SCRIPT]);
    project.prepare(&mut shell);
    shell.env("MSCTL_PROGRAM", e2e::scenario::msctl_path());
    let run = e2e::Run::of(&mut shell, b"").ok().says(&["error: ", "o space left on device"]);
    assert!(run.stdout.contains("full: 1\n"), "{run}");
    for said in ["free: 0\n", "status: 0\n", "down: 0\n", "fill\nmsctl.yaml\n"] {
        assert!(run.stdout.contains(said), "{said:?} is missing\n{run}");
    }
    assert_eq!(run.stdout.matches("Hello, ServiceB!\n").count(), 3, "{run}");
    project.nothing_left();
}
