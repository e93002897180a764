//! However a supervisor ends, nothing is left.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};
use std::{fs, thread};

use local::{Kind, ServiceSpec};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::project::{LONG, Project, Running, free_port, get, nobody, run, wait, with};
use crate::service::fault;
use crate::{Cases, victim};

pub(crate) fn cases() -> Cases {
    vec![
        ("a_killed_supervisor_leaves_nothing", a_killed_supervisor_leaves_nothing),
        ("what_left_its_group_ends_too", what_left_its_group_ends_too),
        ("what_a_crash_leaves_in_its_group_ends_with_it", what_a_crash_leaves_in_its_group_ends_with_it),
        ("a_lost_guard_ends_everything", a_lost_guard_ends_everything),
        ("a_guard_that_hangs_is_killed", a_guard_that_hangs_is_killed),
        ("what_left_its_group_ends_with_its_replica", what_left_its_group_ends_with_its_replica),
        ("a_stop_in_the_midst_of_a_start_leaves_nothing", a_stop_in_the_midst_of_a_start_leaves_nothing),
        ("a_stop_in_the_midst_of_changes_leaves_nothing", a_stop_in_the_midst_of_changes_leaves_nothing),
        ("a_second_supervisor_is_told_of_the_first", a_second_supervisor_is_told_of_the_first),
    ]
}

/// SIGKILL at moments spread from the first millisecond to long after everything is ready.
fn a_killed_supervisor_leaves_nothing() {
    let project = Project::new();
    let specs = [project.spec("a", 2), with(&project.spec("b", 1), "FAULT", fault::DAEMON)];
    let mut ready = 0;
    for round in 0..20 {
        let mut supervisor = victim::start(&project, &specs);
        // From nothing to twice what a start takes here, denser at the beginning, where most states are.
        thread::sleep(Duration::from_micros(rand::random_range(0..2_000_u64 * (round + 1))));
        supervisor.kill().unwrap();
        let mut said = String::new();
        BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut said).unwrap();
        ready += u32::from(!said.is_empty());
        supervisor.wait().unwrap();
        // The next one works at once: it waits for what the one before left, and finds its ports free.
        if round % 5 == 4 {
            run(async { project.up(specs.to_vec()).await.stop().await });
        }
    }
    project.assert_nothing_left();
    for spec in &specs {
        TcpListener::bind((Ipv4Addr::LOCALHOST, spec.port)).unwrap();
    }
    // And one that was ready for certain.
    let mut supervisor = victim::start(&project, &specs);
    BufReader::new(supervisor.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    assert!(project.processes().len() > 3, "{ready} of 20 were ready");
    let started = Instant::now();
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    project.assert_nothing_left();
    assert!(started.elapsed() < Duration::from_secs(10));
    run(async { project.up(specs.to_vec()).await.stop().await });
    project.assert_nothing_left();
}

fn what_left_its_group_ends_too() {
    run(async {
        let project = Project::new();
        let up = project.up(vec![with(&project.spec("a", 1), "FAULT", fault::DAEMON)]).await;
        // The service, a sleep, a shell and two sleeps of its own; nearly all of them without a parent of theirs.
        wait("all of it runs", || project.processes().len() == 5);
        up.stop().await;
        // At once: the end of the guard was waited for.
        assert_eq!(project.processes(), [0; 0]);
    });
}

fn what_a_crash_leaves_in_its_group_ends_with_it() {
    run(async {
        let project = Project::new();
        let up = project.up(vec![with(&project.spec("a", 1), "FAULT", fault::CHILD)]).await;
        let before = project.processes();
        assert_eq!(before.len(), 2);
        let replica = || up.supervisor.status()[0].replicas[0].clone();
        kill(Pid::from_raw(replica().pid.unwrap().cast_signed()), Signal::SIGKILL).unwrap();
        wait("it started again", || replica().restarts == 1 && replica().ready);
        let after = project.processes();
        assert!(after.len() == 2 && after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
        up.stop().await;
    });
}

fn a_lost_guard_ends_everything() {
    run(async {
        let project = Project::new();
        let spec = with(&project.spec("a", 3), "FAULT", fault::DAEMON);
        let up = project.up(vec![spec.clone()]).await;
        wait("what left its group runs too", || project.processes().len() == 15);
        let guard = guard(&up);
        // It does not end by what ends others.
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
            get(spec.port, "/").unwrap();
            kill(guard, signal).unwrap();
        }
        let error = up.ended.await.unwrap_err();
        assert_eq!(error.kind, Kind::Failed);
        assert_eq!(error.what, "the guard has ended, so every service was killed");
        project.assert_nothing_left();
        get(spec.port, "/").unwrap_err();
    });
}

fn guard(up: &Running) -> Pid {
    let replica = up.supervisor.status()[0].replicas[0].pid.unwrap();
    let status = fs::read_to_string(format!("/proc/{replica}/status")).unwrap();
    let guard = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
    Pid::from_raw(guard.parse().unwrap())
}

fn a_guard_that_hangs_is_killed() {
    run(async {
        let project = Project::new();
        let mut spec = with(&project.spec("a", 1), "FAULT", fault::DAEMON);
        spec.stop_timeout_ms = 300;
        let up = project.up(vec![spec]).await;
        kill(guard(&up), Signal::SIGSTOP).unwrap();
        let ends = async {
            up.supervisor.stop(nobody()).await;
            up.ended.await
        };
        let error = tokio::time::timeout(LONG * 2, ends).await.unwrap().unwrap_err();
        assert_eq!(error.what, "the guard did not end, so it was killed, and every service with it");
        project.assert_nothing_left();
    });
}

fn what_left_its_group_ends_with_its_replica() {
    run(async {
        let project = Project::new();
        let up = project.up(vec![with(&project.spec("a", 1), "FAULT", fault::DAEMON), project.spec("b", 1)]).await;
        wait("all of it runs", || project.processes().len() == 6);
        up.supervisor.delete("a", nobody()).await.unwrap();
        assert_eq!(project.processes().len(), 1);
        up.stop().await;
    });
}

fn a_stop_in_the_midst_of_a_start_leaves_nothing() {
    run(async {
        let project = Project::new();
        for round in 0..10 {
            let up = project.start(vec![project.spec("a", 3), project.spec("b", 2)]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..=round * 4))).await;
            up.supervisor.stop(nobody()).await;
            let outcome = up.supervisor.started().await;
            up.ended.await.unwrap();
            if let Err(error) = outcome {
                assert_eq!(error.why[0], "it was stopped before it was ready", "{error}");
            }
            assert_eq!(project.processes(), [0; 0]);
        }
    });
}

fn a_stop_in_the_midst_of_changes_leaves_nothing() {
    run(async {
        let project = Project::new();
        for round in 0..10 {
            let (a, b) = (project.spec("a", 2), project.spec("b", 1));
            let up = project.up(vec![a.clone(), b]).await;
            let moved = ServiceSpec { port: free_port(), ..with(&a, "VERSION", "2") };
            let change = up.supervisor.apply(vec![moved, project.spec("new", 2)], nobody());
            let other = up.supervisor.scale("b", 3, nobody());
            let stop = async {
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..=round * 6))).await;
                up.supervisor.stop(nobody()).await;
            };
            let (changed, scaled, ()) = tokio::join!(change, other, stop);
            up.ended.await.unwrap();
            for error in [changed.err(), scaled.err()].into_iter().flatten() {
                assert_eq!(error.why[0], "it was stopped before it was ready", "{error}");
            }
            assert_eq!(project.processes(), [0; 0]);
        }
    });
}

fn a_second_supervisor_is_told_of_the_first() {
    run(async {
        let project = Project::new();
        let up = project.up(vec![project.spec("a", 1)]).await;
        let error = project.start(vec![project.spec("b", 1)]).await.err().unwrap();
        assert_eq!((error.kind, error.what.as_str()), (Kind::Conflict, "shop is up already"));
        up.stop().await;
    });
}
