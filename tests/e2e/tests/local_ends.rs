//! Whatever ends `msctl up`, nothing of it outlives it, and the next one works.
#![expect(clippy::print_stderr, reason = "the seed and the times belong into the test's output")]

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::exit::INTERRUPTED;
use e2e::{Background, Project, eventually};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

#[test]
fn local_down_ends_all_and_keeps_the_data_and_down_volumes_keeps_nothing() {
    let project = Project::of_a_and_b("down", 2);
    project.up();
    let data = project.state().join("data/service-a.sqlite3");
    assert!(data.exists(), "{} is what A keeps", data.display());
    project.msctl(&["down"]).ok();
    project.nothing_left();
    assert!(data.exists(), "down keeps the data");
    let left: Vec<_> =
        std::fs::read_dir(project.state()).expect("the folder").flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| name == "data" || name == ".gitignore"), "{left:?}");

    project.up();
    project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
    project.msctl(&["down", "--volumes"]).ok();
    project.nothing_left();
    assert!(!project.state().exists());
    // Nothing to end is what was wanted.
    project.msctl(&["down"]).ok();
    project.msctl(&["down", "--volumes"]).ok();
}

#[test]
fn local_down_needs_no_msctl_yaml() {
    let project = Project::of_a_and_b("yaml", 1);
    for break_it in [
        |project: &Project| project.write("services: [\n"),
        |project: &Project| std::fs::remove_file(project.folder.join("msctl.yaml")).expect("it was there"),
    ] {
        project.write_a_and_b(1);
        project.up();
        break_it(&project);
        project.msctl(&["down", "--volumes"]).ok().says(&["what it started is ended all the same"]);
        project.nothing_left();
        assert!(!project.state().exists());
    }
}

#[test]
fn local_two_downs_at_once_both_end_well() {
    let project = Project::of_a_and_b("downs", 1);
    for _ in 0..5 {
        project.up();
        let downs = [(); 3].map(|()| Background::start(&mut project.msctl_command(&["down", "--volumes"])));
        for run in downs.map(Background::end) {
            assert_eq!(run.code, Some(0), "{run}");
        }
        project.nothing_left();
    }
}

#[test]
fn local_a_hangup_does_not_end_what_is_in_the_background() {
    let project = Project::of_a_and_b("hangup", 1);
    project.up();
    let before = project.processes();
    for process in before.iter().filter(|process| process.is_msctl()) {
        assert!(process.signal(Signal::SIGHUP));
    }
    // Its next act comes after the signal.
    project.msctl(&["scale", "service-a", "--replicas", "2"]).ok();
    project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
    let now = project.processes();
    for process in before {
        assert!(now.iter().any(|now| now.id == process.id), "{process} has ended");
    }
}

#[test]
fn local_up_in_the_foreground_tells_what_happens_until_down() {
    let project = Project::of_a_and_b("foreground", 1);
    let up = Background::start(&mut project.msctl_command(&["up"]));
    until_ready(&project);
    up.says("service-a");
    let victim = project.replicas("service-a").pop().expect("a replica");
    assert!(victim.signal(Signal::SIGKILL));
    up.says("SIGKILL");
    eventually(
        "the replica again",
        || match project.msctl(&["status", "service-a", "-o", "json"]).json()[0]["ready"] {
            ref one if one == 1 => Ok(()),
            ref other => Err(other.to_string()),
        },
    );
    project.msctl(&["down"]).ok();
    let run = up.end();
    assert_eq!(run.code, Some(0), "{run}");
    project.nothing_left();
}

#[test]
fn local_ctrl_c_ends_it_at_once_in_the_middle_and_when_all_is_ready() {
    let project = Project::of_a_and_b("ctrl-c", 2);
    let up = || {
        let mut command = signalled();
        command.arg(e2e::scenario::msctl_path()).arg("up");
        project.prepare(&mut command);
        let up = Background::start(&mut command);
        // Until then env(1) may still ignore what it is sent. Without a pause: `up` is ready within a few dozen milliseconds.
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::fs::read_to_string(format!("/proc/{}/comm", up.id())).is_ok_and(|name| name.trim() != "msctl") {
            assert!(Instant::now() < deadline, "env(1) does not become msctl");
            std::thread::yield_now();
        }
        up
    };
    // At once: the signal may come before there is anybody to take it.
    let at_once = up();
    at_once.signal(Signal::SIGINT);
    let run = at_once.end();
    assert!(matches!(run.code, None | Some(INTERRUPTED)), "{run}");
    project.nothing_left();

    let in_the_middle = up();
    eventually("a process that starts", || {
        if project.replicas("service-a").is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
    });
    interrupt(&project, in_the_middle, Signal::SIGINT);

    let ready = up();
    until_ready(&project);
    interrupt(&project, ready, Signal::SIGINT);

    let ready = up();
    until_ready(&project);
    interrupt(&project, ready, Signal::SIGTERM);
    project.up();
}

#[test]
fn local_ctrl_c_while_it_goes_to_the_background_ends_it_too() {
    let project = Project::of_a_and_b("ctrl-c-detach", 2);
    let up = Background::start(&mut project.msctl_command(&["up", "--detach"]));
    eventually("a process that starts", || {
        if project.replicas("service-a").is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
    });
    let heard = up.signal(Signal::SIGINT);
    let run = up.end();
    if heard && run.code == Some(INTERRUPTED) {
        run.code_is(INTERRUPTED);
        project.nothing_left();
    } else {
        run.ok();
        // It was quicker than the signal: then it is up.
        project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
    }
    project.msctl(&["down"]).ok();
    project.nothing_left();
}

#[test]
fn local_ctrl_c_ends_every_wait_for_what_goes_on_in_up() {
    let project = Project::new("slow", &["slow"]);
    // It is asked to end, and takes all the time that it has.
    let script = "trap '' TERM; python3 -m http.server --bind 127.0.0.1 $PORT";
    project.write(&format!(
        "name: slow\nenvironment: local\nservices:\n  slow:\n    run: [sh, -c, \"{script}\"]\n    port: {}\n    \
         values: {{replicas: 1, drain: {{delaySeconds: 0, timeoutSeconds: 30}}, probes: {{readiness: {{path: /}}}}}}\n",
        project.port("slow")
    ));
    project.up();
    for verb in [
        &["deploy", "slow", "--set", "env.A=x"][..],
        &["scale", "slow", "--replicas", "0"],
        &["delete", "slow"],
        &["down"],
    ] {
        let waiting = Background::start(&mut project.msctl_command(verb));
        waiting.says("slow");
        assert!(waiting.signal(Signal::SIGINT));
        let run = waiting.end();
        assert!(run.took < Duration::from_secs(20), "{run}");
        run.code_is(INTERRUPTED).says(&["goes on in `msctl up`", "next: msctl status --local"]);
    }
    let up = project.supervisor().expect("a process of up's");
    assert!(up.signal(Signal::SIGKILL));
    project.nothing_left();
}

/// A service that does not care for SIGTERM, and what it started in a session of its own.
#[test]
fn local_who_ignores_its_end_is_killed_with_all_that_it_started() {
    let project = Project::new("stubborn", &["stubborn"]);
    let script = "trap '' TERM; setsid sleep 1000 & setsid setsid sleep 1001 & exec python3 -m http.server --bind 127.0.0.1 $PORT";
    project.write(&format!(
        "name: stubborn\nenvironment: local\nservices:\n  stubborn:\n    run: [sh, -c, \"{script}\"]\n    port: {}\n    \
         values: {{replicas: 1, drain: {{delaySeconds: 0, timeoutSeconds: 1}}, probes: {{readiness: {{path: /}}}}}}\n",
        project.port("stubborn")
    ));
    project.up();
    assert!(project.processes().iter().any(|process| process.command == ["sleep", "1001"]));
    let up = project.supervisor().expect("a process of up's");
    assert!(up.signal(Signal::SIGKILL));
    project.nothing_left();
    project.up();
    let started = Instant::now();
    project.msctl(&["down", "--volumes"]).ok();
    assert!(started.elapsed() < Duration::from_secs(30), "took {:?}", started.elapsed());
    project.nothing_left();
}

/// What follows hears signals also where these tests run under nohup(1), or in the background of a script: both let nobody
/// below them hear some.
fn signalled() -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT");
    command
}

/// script(1) is a terminal.
fn terminal() -> Command {
    let mut command = signalled();
    command.arg("script");
    command
}

#[test]
fn local_a_terminal_that_goes_away_ends_it() {
    let project = Project::of_a_and_b("hangup", 1);
    // Killed, script(1) takes the terminal away from whoever runs on it.
    let mut command = terminal();
    let program = e2e::scenario::msctl_path();
    command.args(["--quiet", "--flush", "--command"]).arg(format!("exec {} up", program.display())).arg("/dev/null");
    project.prepare(&mut command);
    let terminal = Background::start(&mut command);
    until_ready(&project);
    assert!(terminal.signal(Signal::SIGKILL));
    drop(terminal);
    project.nothing_left();
    project.up();
}

#[test]
fn local_detached_it_outlives_the_terminal() {
    let project = Project::of_a_and_b("detached", 1);
    let mut command = terminal();
    let program = e2e::scenario::msctl_path();
    let up = format!("{} up --detach && echo it is up; sleep 1000", program.display());
    command.args(["--quiet", "--flush", "--command", &up, "/dev/null"]);
    project.prepare(&mut command);
    let terminal = Background::start(&mut command);
    terminal.says("it is up");
    assert!(terminal.signal(Signal::SIGKILL));
    drop(terminal);
    eventually("the shell's end", || {
        let left = project.processes();
        if left.iter().any(|process| process.command.join(" ") == "sleep 1000") { Err(String::new()) } else { Ok(()) }
    });
    project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
}

#[test]
fn local_the_guard_killed_ends_it_with_an_error() {
    let project = Project::of_a_and_b("guard", 1);
    let up = Background::start(&mut project.msctl_command(&["up"]));
    until_ready(&project);
    let guards = project.processes();
    let guards: Vec<_> = guards.iter().filter(|process| process.is_msctl() && process.id != up.id()).collect();
    assert_eq!(guards.len(), 1, "{guards:?}");
    assert!(guards[0].signal(Signal::SIGKILL));
    up.end().code_is(1).says(&["guard"]);
    project.nothing_left();
    project.up();
}

#[test]
fn local_up_killed_ten_times_leaves_nothing() {
    kill_up(10);
}

#[test]
#[ignore = "takes minutes: make soak runs it"]
fn local_soak_up_killed_a_hundred_times_leaves_nothing() {
    kill_up(100);
}

/// SIGKILL at random moments: while it starts, while it runs, while it scales or deploys.
fn kill_up(times: u32) {
    let seed = std::env::var("MSCTL_E2E_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("MSCTL_E2E_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let project = Project::of_a_and_b("killed", 2);
    let mut slowest = Duration::ZERO;
    for round in 1..=times {
        let up = Background::start(&mut project.msctl_command(&["up"]));
        let busy = random.random_bool(0.5);
        let work = busy.then(|| {
            until_ready(&project);
            let scale = ["scale", "service-a", "--replicas", "4"];
            let deploy = ["deploy", "service-b", "--set", "env.IDLE_TIMEOUT=59s"];
            let work = if random.random_bool(0.5) { &scale[..] } else { &deploy[..] };
            Background::start(&mut project.msctl_command(work))
        });
        std::thread::sleep(Duration::from_micros(random.random_range(0..400_000)));
        assert!(up.signal(Signal::SIGKILL), "round {round}: up ended by itself: {}", up.stderr());
        let killed = Instant::now();
        drop(up);
        // What was asked of it ends too, with an error or, when it was quick, well.
        drop(work.map(Background::end));
        project.nothing_left();
        slowest = slowest.max(killed.elapsed());

        project.up();
        project.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
        project.msctl(&["down"]).ok();
        project.nothing_left();
    }
    eprintln!("killed {times} times, all gone after {slowest:.1?} at most");
}

/// Ends within a while, with 130, and leaves nothing.
#[track_caller]
fn interrupt(project: &Project, up: Background, signal: Signal) {
    assert!(up.signal(signal), "ended by itself: {}", up.stderr());
    let sent = Instant::now();
    let run = up.end();
    assert!(sent.elapsed() < Duration::from_secs(20), "took {:?} to end\n{run}", sent.elapsed());
    run.code_is(INTERRUPTED);
    project.nothing_left();
}

#[track_caller]
fn until_ready(project: &Project) {
    eventually("both services", || {
        let run = project.msctl(&["call", "service-a/service-b"]);
        if run.stdout == "Hello, ServiceB!" { Ok(()) } else { Err(run.to_string()) }
    });
}
