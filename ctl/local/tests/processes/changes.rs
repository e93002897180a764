//! Changes while requests come.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use local::{Action, Error, Kind, ServiceSpec, ServiceState};

use crate::Cases;
use crate::project::{Project, Running, get, nobody, run, wait, with};
use crate::service::fault;

pub(crate) fn cases() -> Cases {
    vec![
        ("a_change_fails_no_request", a_change_fails_no_request),
        ("a_change_that_fails_leaves_what_was_there", a_change_that_fails_leaves_what_was_there),
        ("a_service_moves_to_another_port", a_service_moves_to_another_port),
        ("a_service_is_scaled_to_none_and_back", a_service_is_scaled_to_none_and_back),
        ("a_deleted_service_frees_its_port", a_deleted_service_frees_its_port),
        ("an_operation_goes_on_when_nobody_waits", an_operation_goes_on_when_nobody_waits),
        (
            "what_is_not_ready_is_waited_for_though_nothing_changes",
            what_is_not_ready_is_waited_for_though_nothing_changes,
        ),
        ("a_deploy_takes_the_place_of_one_that_is_stuck", a_deploy_takes_the_place_of_one_that_is_stuck),
        ("a_deploy_waits_for_the_end_of_a_scale", a_deploy_waits_for_the_end_of_a_scale),
        ("an_operation_that_has_not_begun_goes_with_who_asked", an_operation_that_has_not_begun_goes_with_who_asked),
    ]
}

/// Requests, one after the other on each of a few threads, until it is told to end. Returns who answered, and what failed.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<(BTreeSet<String>, Vec<String>)>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..4).map(|number| {
            let stop = stop.clone();
            thread::spawn(move || {
                let (mut answered, mut failed) = (BTreeSet::new(), Vec::new());
                // Some requests are under way while their replica is told to end.
                let path = if number == 0 { "/slow" } else { "/" };
                while !stop.load(Ordering::SeqCst) {
                    match get(port, path) {
                        Ok(name) => _ = answered.insert(name),
                        Err(error) => failed.push(error),
                    }
                }
                (answered, failed)
            })
        });
        Self { threads: threads.collect(), stop }
    }

    fn end(self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = BTreeSet::new();
        for thread in self.threads {
            let (answered, failed) = thread.join().unwrap();
            assert_eq!(failed, [""; 0]);
            all.extend(answered);
        }
        all
    }
}

fn a_change_fails_no_request() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 2);
        let up = project.up(vec![spec.clone()]).await;
        let load = Load::start(spec.port);

        let unchanged = up.supervisor.apply(vec![spec.clone()], nobody()).await.unwrap();
        assert_eq!(unchanged[0].action, Action::Unchanged);
        let mut new = with(&spec, "VERSION", "2");
        "2.0.0".clone_into(&mut new.version);
        let applied = up.supervisor.apply(vec![new], nobody()).await.unwrap();
        assert_eq!((applied[0].action, applied[0].ready), (Action::Configured, 2));
        let scaled = up.supervisor.scale("a", 4, nobody()).await.unwrap();
        assert_eq!((scaled.before, scaled.replicas, scaled.ready), (2, 4, 4));
        let shared: BTreeSet<String> = (0..20).map(|_| get(spec.port, "/").unwrap()).collect();
        assert_eq!(shared.len(), 4);
        let scaled = up.supervisor.scale("a", 1, nobody()).await.unwrap();
        assert_eq!((scaled.before, scaled.ready), (4, 1));

        // Two of the first version, two of the second, and those that were two more of it for a moment.
        let answered = load.end();
        assert!(answered.len() >= 4, "{answered:?}");
        let status = &up.supervisor.status()[0];
        assert_eq!((status.version.as_str(), status.replicas.len()), ("2.0.0", 1));
        assert!(status.replicas[0].name.starts_with("a-1-"));
        wait("only one process is left", || project.processes().len() == 1);
        up.stop().await;
    });
}

fn a_change_that_fails_leaves_what_was_there() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 2);
        let up = project.up(vec![spec.clone()]).await;
        let load = Load::start(spec.port);

        let error = up.supervisor.apply(vec![with(&spec, "FAULT", fault::CRASH)], nobody()).await.unwrap_err();
        assert_eq!(error.kind, Kind::RolloutFailed);
        assert_eq!(error.what, "a does not become ready");
        assert!(error.why[0].ends_with(": exit code 3, 3 times in a row"), "{error}");
        assert_eq!(error.why[1], "2 replicas that were there before still answer");
        assert_eq!(error.log.as_ref().unwrap().lines.last().unwrap(), "there is no database");
        let status = &up.supervisor.status()[0];
        assert_eq!((status.state, status.ready, status.replicas.len()), (ServiceState::Failing, 2, 2));
        assert_eq!(status.reasons[0].subject, "a");

        let error = up.supervisor.scale("nothing", 2, nobody()).await.unwrap_err();
        assert_eq!((error.kind, error.why[0].as_str()), (Kind::NotFound, "services: a"));
        assert_eq!(up.supervisor.scale("a", 101, nobody()).await.unwrap_err().kind, Kind::Usage);

        // What it was is a change again, and ends well.
        let applied = up.supervisor.apply(vec![spec.clone()], nobody()).await.unwrap();
        assert_eq!(applied[0].action, Action::Configured);
        assert_eq!(up.supervisor.status()[0].state, ServiceState::Ready);
        assert_eq!(load.end().len(), 2);

        // A service that never was is gone again.
        let new = with(&project.spec("new", 1), "FAULT", fault::CRASH);
        let port = new.port;
        up.supervisor.apply(vec![new], nobody()).await.unwrap_err();
        assert_eq!(up.supervisor.status().len(), 1);
        get(port, "/").unwrap_err();
        up.stop().await;
    });
}

fn a_service_moves_to_another_port() {
    run(async {
        let project = Project::new();
        let (spec, other) = (project.spec("a", 1), project.spec("b", 1));
        let up = project.up(vec![spec.clone(), other.clone()]).await;
        let taken = local::ServiceSpec { port: other.port, ..spec.clone() };
        let error = up.supervisor.apply(vec![taken], nobody()).await.unwrap_err();
        assert_eq!((error.kind, error.why[0].as_str()), (Kind::Conflict, "it is b's"));
        get(spec.port, "/").unwrap();

        let moved = local::ServiceSpec { port: crate::project::free_port(), ..spec.clone() };
        // A change that fails moves nothing.
        let failing = with(&moved, "FAULT", fault::CRASH);
        up.supervisor.apply(vec![failing], nobody()).await.unwrap_err();
        get(moved.port, "/").unwrap_err();
        get(spec.port, "/").unwrap();
        up.supervisor.apply(vec![moved.clone()], nobody()).await.unwrap();
        get(moved.port, "/").unwrap();
        get(spec.port, "/").unwrap_err();
        up.stop().await;
    });
}

fn a_service_is_scaled_to_none_and_back() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 1);
        let up = project.up(vec![spec.clone()]).await;
        up.supervisor.scale("a", 0, nobody()).await.unwrap();
        assert_eq!(up.supervisor.status()[0].state, ServiceState::Stopped);
        assert_eq!(project.processes(), [0; 0]);
        get(spec.port, "/").unwrap_err();
        assert_eq!(up.supervisor.scale("a", 1, nobody()).await.unwrap().ready, 1);
        get(spec.port, "/").unwrap();
        up.stop().await;
    });
}

fn a_deleted_service_frees_its_port() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 2);
        let up = project.up(vec![spec.clone()]).await;
        let deleted = up.supervisor.delete("a", nobody()).await.unwrap();
        assert_eq!((deleted.name.as_str(), deleted.replicas.len()), ("a", 2));
        assert_eq!(up.supervisor.status(), []);
        assert_eq!(project.processes(), [0; 0]);
        assert_eq!(up.supervisor.delete("a", nobody()).await.unwrap_err().kind, Kind::NotFound);
        let applied = up.supervisor.apply(vec![spec.clone()], nobody()).await.unwrap();
        assert_eq!(applied[0].action, Action::Created);
        get(spec.port, "/").unwrap();
        up.stop().await;
    });
}

fn an_operation_goes_on_when_nobody_waits() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 1);
        let up = project.up(vec![spec.clone()]).await;
        // Polled once: it has begun.
        let scaling = up.supervisor.scale("a", 3, nobody());
        tokio::time::timeout(std::time::Duration::ZERO, scaling).await.unwrap_err();
        wait("three replicas are ready", || up.supervisor.status()[0].ready == 3);
        up.stop().await;
    });
}

fn what_is_not_ready_is_waited_for_though_nothing_changes() {
    run(async {
        let project = Project::new();
        let mut spec = project.spec("a", 1);
        (spec.startup.period_ms, spec.startup.failures) = (100, 10);
        let up = project.up(vec![spec.clone()]).await;
        get(spec.port, "/sicken").unwrap();
        wait("it is not ready", || up.supervisor.status()[0].ready == 0);

        for outcome in [
            up.supervisor.apply(vec![spec.clone()], nobody()).await.map(drop),
            up.supervisor.scale("a", 1, nobody()).await.map(drop),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind, Kind::RolloutFailed);
            assert!(error.why[0].contains("500 Internal Server Error"), "{error}");
        }
        // The new one is ready, and the old one is not.
        assert_eq!(up.supervisor.scale("a", 2, nobody()).await.unwrap_err().kind, Kind::RolloutFailed);
        let status = &up.supervisor.status()[0];
        assert_eq!((status.wanted, status.ready), (2, 1), "what was scaled stays");
        up.stop().await;
    });
}

/// A supervisor with a deploy under way that would take minutes to fail.
async fn stuck(project: &Project) -> (Running, ServiceSpec, tokio::task::JoinHandle<Result<(), Error>>) {
    let spec = project.spec("a", 1);
    let up = project.up(vec![spec.clone()]).await;
    let mut unready = with(&spec, "FAULT", fault::UNREADY);
    (unready.startup.period_ms, unready.startup.failures) = (1000, 100);
    let supervisor = up.supervisor.clone();
    let deploy = tokio::spawn(async move { supervisor.apply(vec![unready], nobody()).await.map(drop) });
    wait("the new replica is there", || up.supervisor.status()[0].replicas.len() == 2);
    (up, spec, deploy)
}

fn a_deploy_takes_the_place_of_one_that_is_stuck() {
    run(async {
        let project = Project::new();
        let (up, spec, deploy) = stuck(&project).await;
        let applied = up.supervisor.apply(vec![with(&spec, "VERSION", "3")], waiting()).await.unwrap();
        assert_eq!((applied[0].action, applied[0].ready), (Action::Configured, 1));
        let error = deploy.await.unwrap().unwrap_err();
        assert_eq!(error.kind, Kind::Stopped);
        assert_eq!(error.why[0], "it was changed again before it was ready");
        up.stop().await;

        let (up, _, deploy) = stuck(&project).await;
        assert_eq!(up.supervisor.delete("a", waiting()).await.unwrap().name, "a");
        assert_eq!(deploy.await.unwrap().unwrap_err().kind, Kind::Stopped);
        assert_eq!(up.supervisor.status(), []);
        up.stop().await;
    });
}

fn a_deploy_waits_for_the_end_of_a_scale() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 1);
        let up = project.up(vec![spec.clone()]).await;
        let mut new = with(&spec, "VERSION", "2");
        new.replicas = 3;
        // Polled in this order: the scale has begun.
        let scale = up.supervisor.scale("a", 3, waiting());
        let (scaled, applied) = tokio::join!(scale, up.supervisor.apply(vec![new], waiting()));
        assert_eq!(scaled.unwrap().ready, 3);
        assert_eq!(applied.unwrap()[0].ready, 3);
        up.stop().await;
    });
}

fn an_operation_that_has_not_begun_goes_with_who_asked() {
    run(async {
        let project = Project::new();
        let (up, spec, deploy) = stuck(&project).await;
        let (events, mut told) = tokio::sync::mpsc::channel(8);
        let supervisor = up.supervisor.clone();
        let scale = tokio::spawn(async move { supervisor.scale("a", 3, events).await });
        assert_eq!(told.recv().await.unwrap().to_string(), "a: waits for the change that is under way");
        drop(told);
        assert_eq!(scale.await.unwrap().unwrap_err().kind, Kind::Stopped);
        up.supervisor.apply(vec![spec], waiting()).await.unwrap();
        deploy.await.unwrap().unwrap_err();
        assert_eq!(up.supervisor.status()[0].wanted, 1);
        up.stop().await;
    });
}

/// Who asks for an operation, and waits for its turn.
fn waiting() -> tokio::sync::mpsc::Sender<local::Event> {
    let (events, mut told) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    events
}
