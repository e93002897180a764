//! What goes wrong with a service, and how it is told.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process;

use local::{Event, Kind, ServiceState};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Cases;
use crate::project::{Project, get, nobody, run, wait, with};
use crate::service::fault;

pub(crate) fn cases() -> Cases {
    vec![
        ("every_port_in_use_is_named_before_anything_starts", every_port_in_use_is_named_before_anything_starts),
        ("a_program_that_is_missing_is_named", a_program_that_is_missing_is_named),
        ("a_crash_at_the_start_shows_its_last_lines", a_crash_at_the_start_shows_its_last_lines),
        ("a_service_that_never_becomes_ready_says_which_probe", a_service_that_never_becomes_ready_says_which_probe),
        ("a_crashed_replica_starts_again", a_crashed_replica_starts_again),
        ("a_replica_whose_port_was_taken_gets_another", a_replica_whose_port_was_taken_gets_another),
        ("a_replica_that_is_not_ready_gets_no_requests", a_replica_that_is_not_ready_gets_no_requests),
        ("a_stuck_replica_is_killed_and_starts_again", a_stuck_replica_is_killed_and_starts_again),
        ("a_service_that_ignores_sigterm_is_killed", a_service_that_ignores_sigterm_is_killed),
        ("specs_that_contradict_each_other_are_refused", specs_that_contradict_each_other_are_refused),
    ]
}

fn every_port_in_use_is_named_before_anything_starts() {
    run(async {
        let project = Project::new();
        let specs = vec![project.spec("a", 1), project.spec("b", 1), project.spec("c", 1)];
        let _held: Vec<TcpListener> =
            specs[1..].iter().map(|spec| TcpListener::bind((Ipv4Addr::LOCALHOST, spec.port)).unwrap()).collect();
        let error = project.start(specs.clone()).await.err().unwrap();
        assert_eq!((error.kind, error.what.as_str()), (Kind::Conflict, "cannot listen on 2 of the services' ports"));
        let holder = format!("b: port {} is in use by process {}", specs[1].port, process::id());
        assert!(error.why[0].starts_with(&holder), "{error}");
        assert!(error.why[2].ends_with("this `msctl up` itself: its proxy, or its receiver of traces"), "{error}");
        assert!(!error.next[0].starts_with("kill"), "{error}");
        project.assert_nothing_left();
        // The others are free, and so is the folder.
        TcpListener::bind((Ipv4Addr::LOCALHOST, specs[0].port)).unwrap();
        project.up(vec![specs[0].clone()]).await.stop().await;
    });
}

fn a_program_that_is_missing_is_named() {
    run(async {
        let project = Project::new();
        let script = project.folder().join("script");
        std::fs::write(&script, "#!/no/such/shell\n").unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let no_format = project.folder().join("no-format");
        std::fs::write(&no_format, "echo hello\n").unwrap();
        std::fs::set_permissions(&no_format, std::fs::Permissions::from_mode(0o755)).unwrap();
        let cases = [
            ("/no/such/program".to_owned(), "/no/such/program does not exist"),
            (script.display().to_string(), "the interpreter that"),
            (no_format.display().to_string(), "a script needs a first line"),
            ("/etc/passwd".to_owned(), "/etc/passwd may not be executed"),
        ];
        for (program, why) in cases {
            let mut spec = project.spec("a", 1);
            spec.argv = vec![program];
            let up = project.start(vec![spec]).await.unwrap();
            let error = up.supervisor.started().await.unwrap_err();
            assert_eq!(error.kind, Kind::RolloutFailed);
            assert!(error.why[0].contains(why), "{error}");
            up.stop().await;
        }
        let mut spec = project.spec("a", 1);
        spec.folder = project.folder().join("nowhere");
        let up = project.start(vec![spec]).await.unwrap();
        let error = up.supervisor.started().await.unwrap_err();
        assert!(error.why[0].contains("nowhere does not exist"), "{error}");
        up.stop().await;
    });
}

fn a_crash_at_the_start_shows_its_last_lines() {
    run(async {
        let project = Project::new();
        let spec = with(&project.spec("a", 1), "FAULT", fault::CRASH);
        let mut up = project.start(vec![spec, project.spec("b", 1)]).await.unwrap();
        let error = up.supervisor.started().await.unwrap_err();
        assert_eq!((error.kind, error.what.as_str()), (Kind::RolloutFailed, "a does not become ready"));
        let local::Quote { title, lines } = *error.log.unwrap();
        assert!(title.starts_with("the last lines of a-1-"), "{title}");
        assert_eq!(lines, ["service of  starts", "there is no database"]);
        let log = error.next[0].strip_prefix("all its lines: ").unwrap();
        assert_eq!(std::fs::read_to_string(log).unwrap().lines().count(), 6);
        let told = up.told();
        assert!(
            told.iter().any(|event| event.ends_with(": exit code 3, starts again in 200 ms: there is no database")),
            "{told:?}"
        );
        up.stop().await;
        project.assert_nothing_left();
    });
}

fn a_service_that_never_becomes_ready_says_which_probe() {
    run(async {
        let project = Project::new();
        let mut spec = with(&project.spec("a", 1), "FAULT", fault::UNREADY);
        (spec.startup.period_ms, spec.startup.failures) = (100, 8);
        let mut up = project.start(vec![spec.clone()]).await.unwrap();
        let error = up.supervisor.started().await.unwrap_err();
        assert!(error.why[0].contains(": not within 1.6 s: GET http://127.0.0.1:2"), "{error}");
        assert!(error.why[0].ends_with("/readyz: answered 503 Service Unavailable"), "{error}");
        assert_eq!(error.log.unwrap().lines, ["service of  starts"]);
        assert!(up.told().iter().any(|event| event.contains(": not ready yet: GET http")));
        up.stop().await;

        // Not even started: its budget is all it gets.
        spec.startup.path = Some("/readyz".to_owned());
        let up = project.start(vec![spec]).await.unwrap();
        let error = up.supervisor.started().await.unwrap_err();
        assert!(error.why[0].contains(": not started within 800 ms: GET http://127.0.0.1:2"), "{error}");
        assert!(error.why[0].ends_with("/readyz: answered 503 Service Unavailable"), "{error}");
        up.stop().await;
        project.assert_nothing_left();
    });
}

fn a_crashed_replica_starts_again() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 2);
        let mut up = project.up(vec![spec.clone()]).await;
        let victim = up.supervisor.status()[0].replicas[0].clone();
        kill(Pid::from_raw(victim.pid.unwrap().cast_signed()), Signal::SIGKILL).unwrap();
        let mut crashed = false;
        while let Some(event) = up.events.recv().await {
            match event {
                Event::Crashed { replica, how, again_ms, .. } => {
                    assert_eq!((replica, how, again_ms), (victim.name.clone(), "killed by SIGKILL".to_owned(), 100));
                    crashed = true;
                    let status = &up.supervisor.status()[0];
                    assert_eq!((status.state, status.ready), (ServiceState::Failing, 1));
                    assert!(status.reasons[0].text.starts_with("killed by SIGKILL; starts again"), "{status:?}");
                    // The other one answers meanwhile.
                    assert_ne!(get(spec.port, "/").unwrap(), victim.name);
                }
                Event::Ready { replica, .. } if crashed => {
                    assert_eq!(replica, victim.name);
                    break;
                }
                _ => {}
            }
        }
        let status = &up.supervisor.status()[0];
        assert_eq!((status.state, status.replicas[0].restarts), (ServiceState::Ready, 1));
        up.stop().await;
    });
}

fn a_replica_whose_port_was_taken_gets_another() {
    run(async {
        let project = Project::new();
        let spec = with(&project.spec("a", 1), "FAULT", fault::SQUAT);
        let up = project.up(vec![spec.clone()]).await;
        let replica = up.supervisor.status()[0].replicas[0].clone();
        assert_eq!(replica.restarts, 1);
        let squatted: u16 = std::fs::read_to_string(project.folder().join("squatted")).unwrap().parse().unwrap();
        assert_ne!(replica.port, squatted);
        assert_eq!(get(spec.port, "/").unwrap(), replica.name);
        up.stop().await;
        project.assert_nothing_left();
    });
}

fn a_replica_that_is_not_ready_gets_no_requests() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 2);
        let mut up = project.up(vec![spec.clone()]).await;
        let sick = up.supervisor.status()[0].replicas[0].clone();
        get(sick.port, "/sicken").unwrap();
        wait("one is not ready", || up.supervisor.status()[0].ready == 1);
        let status = &up.supervisor.status()[0];
        assert_eq!(status.state, ServiceState::Failing);
        assert_eq!((status.replicas[0].pid, status.replicas[0].restarts), (sick.pid, 0));
        assert!(status.reasons[0].text.ends_with("/readyz: answered 500 Internal Server Error"), "{status:?}");
        for _ in 0..10 {
            assert_ne!(get(spec.port, "/").unwrap(), sick.name);
        }
        let told = up.told();
        assert!(
            told.iter().any(|event| event.starts_with(&format!("{}: no longer ready: GET", sick.name))),
            "{told:?}"
        );

        get(sick.port, "/recover").unwrap();
        wait("both are ready", || up.supervisor.status()[0].ready == 2);
        assert_eq!(up.supervisor.status()[0].state, ServiceState::Ready);
        assert!((0..4).any(|_| get(spec.port, "/").unwrap() == sick.name));
        up.stop().await;
    });
}

fn a_stuck_replica_is_killed_and_starts_again() {
    run(async {
        let project = Project::new();
        let mut spec = project.spec("a", 1);
        (spec.liveness.period_ms, spec.liveness.timeout_ms, spec.liveness.failures) = (50, 200, 2);
        let mut up = project.up(vec![spec.clone()]).await;
        get(spec.port, "/stick").unwrap();
        wait("it started again", || {
            let status = &up.supervisor.status()[0];
            status.state == ServiceState::Ready && status.replicas[0].restarts == 1
        });
        let told = up.told();
        assert!(
            told.iter().any(|event| event.contains("/livez: no answer within 200 ms, 2 times in a row")),
            "{told:?}"
        );
        up.stop().await;
    });
}

fn a_service_that_ignores_sigterm_is_killed() {
    run(async {
        let project = Project::new();
        let mut spec = with(&project.spec("a", 1), "FAULT", fault::STUBBORN);
        spec.stop_timeout_ms = 300;
        let mut up = project.up(vec![spec]).await;
        up.supervisor.scale("a", 0, nobody()).await.unwrap();
        let told = up.told();
        assert!(told.iter().any(|event| event.ends_with("did not end within 300 ms, killed")), "{told:?}");
        assert_eq!(project.processes(), [0; 0]);
        up.stop().await;
    });
}

fn specs_that_contradict_each_other_are_refused() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 1);
        let same_port = local::ServiceSpec { name: "b".to_owned(), ..spec.clone() };
        let receiver = local::ServiceSpec { name: "jaeger".to_owned(), ..project.spec("j", 1) };
        for specs in [vec![spec.clone(), spec.clone()], vec![spec, same_port], vec![receiver]] {
            assert_eq!(project.start(specs).await.err().unwrap().kind, Kind::Usage);
        }
    });
}
