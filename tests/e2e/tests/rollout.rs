//! A rolling restart, and a deploy, under load: not one request may fail.
#![expect(clippy::print_stderr, reason = "the counts belong into the test's output")]

use std::time::{Duration, Instant};

use e2e::load::Load;
use e2e::{Scenario, World, eventually, in_both};

const LOAD: Load = Load { kept: 8, fresh: 8, every: Duration::from_millis(20) };

#[test]
fn a_rolling_restart_of_both_services_fails_no_request() {
    restart_under_load("rollout", 1);
}

/// The long form, for `make soak`.
#[test]
#[ignore = "takes minutes: make soak runs it"]
fn soak_many_rolling_restarts_fail_no_request() {
    restart_under_load("soak-rollout", 20);
}

fn restart_under_load(name: &str, times: usize) {
    let scenario = Scenario::new(name);
    scenario.msctl(&["deploy", "service-a", "service-b", "--replicas", "2"]).ok();
    let address = scenario.address("service-a");
    // kube-proxy programs a new Service up to a second after its pods are ready: that second is no part of a rollout.
    let once = Load { kept: 0, fresh: 1, every: Duration::from_millis(20) };
    eventually("the first answer by way of both", || {
        let wait = || std::thread::park_timeout(Duration::from_millis(200));
        let (report, ()) = once.run(address, "/service-b", "Hello, ServiceB!", wait);
        if report.failures.is_empty() { Ok(()) } else { Err(report.failures.join(", ")) }
    });
    // Through A to B: both services' rollouts are under this load.
    let (through, (direct, ())) = LOAD.run(address, "/service-b", "Hello, ServiceB!", || {
        LOAD.run(address, "/", "Hello, World!", || {
            for _ in 0..times {
                restart(&scenario, "service-a");
                restart(&scenario, "service-b");
            }
        })
    });
    through.none_failed("/service-b", 1000);
    direct.none_failed("/", 1000);
}

fn restart(scenario: &Scenario, service: &str) {
    let deployment = format!("deployment/{service}");
    scenario.kubectl(&["rollout", "restart", &deployment]).ok();
    scenario.kubectl(&["rollout", "status", &deployment, "--timeout=3m"]).ok();
    // Old pods go on serving while they drain: the load runs until the last is gone.
    eventually("old pods gone", || {
        let pods = scenario.get(&["pods", "-l", &format!("app.kubernetes.io/name={service}")]);
        let leaving = pods["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null())
            .count();
        if leaving == 0 { Ok(()) } else { Err(format!("{leaving} are leaving")) }
    });
}

fn a_deploy_of_changed_values_fails_no_request(world: &World) {
    const LOAD: Load = Load { kept: 4, fresh: 4, every: Duration::from_millis(20) };
    const DURING: Duration = Duration::from_secs(3);
    world.start(2);
    let address = world.address("service-a");
    let (through, (direct, rollouts)) = LOAD.run(address, "/service-b", "Hello, ServiceB!", || {
        LOAD.run(address, "/", "Hello, World!", || {
            let started = Instant::now();
            let mut rollouts = 0;
            while started.elapsed() < DURING {
                rollouts += 1;
                for service in ["service-a", "service-b"] {
                    roll_out(world, service, &format!("env.IDLE_TIMEOUT={}s", 60 + rollouts));
                }
            }
            rollouts
        })
    });
    eprintln!("{rollouts} rollouts of each");
    through.none_failed("/service-b", 500);
    direct.none_failed("/", 500);
}

/// Returns when the last replica from before is gone: it goes on serving while it drains.
fn roll_out(world: &World, service: &str, value: &str) {
    let before = world.replicas(service);
    world.msctl(&["deploy", service, "--set", value]).ok();
    eventually("old replicas gone", || {
        let now = world.replicas(service);
        if now.len() == 2 && now.is_disjoint(&before) { Ok(()) } else { Err(format!("{now:?}")) }
    });
}

in_both!(a_deploy_of_changed_values_fails_no_request, "deploys":
    cluster_a_deploy_of_changed_values_fails_no_request, local_a_deploy_of_changed_values_fails_no_request);

fn a_deploy_that_cannot_become_ready_leaves_the_old_replicas(world: &World) {
    world.start(2);
    let before = world.replicas("service-a");
    let run = world.msctl(&["deploy", "service-a", "--set", "env.HEAD_TIMEOUT=nonsense"]);
    // The service's own last line names the variable and its value.
    run.code_is(4).says(&["service-a", "HEAD_TIMEOUT", "nonsense"]);
    assert!(before.is_subset(&world.replicas("service-a")), "{before:?} before, {:?} now", world.replicas("service-a"));
    for _ in 0..4 {
        world.msctl(&["call", "service-a/service-b"]).ok().prints("Hello, ServiceB!");
    }
    let status = world.msctl(&["status", "service-a", "-o", "json"]).ok().json();
    assert_ne!(status[0]["reasons"].as_array().map(Vec::len), Some(0), "{status}");

    world.msctl(&["deploy", "service-a", "--set", "env.HEAD_TIMEOUT=9s"]).ok();
    eventually("nothing to say of it any more", || {
        let status = world.msctl(&["status", "service-a", "-o", "json"]).ok().json();
        let is_well = status[0]["state"] == "ready" && status[0]["reasons"] == serde_json::json!([]);
        if is_well { Ok(()) } else { Err(status.to_string()) }
    });
    eventually("old replicas gone", || {
        let now = world.replicas("service-a");
        if now.is_disjoint(&before) { Ok(()) } else { Err(format!("{now:?}")) }
    });
}

in_both!(a_deploy_that_cannot_become_ready_leaves_the_old_replicas, "no-deploy":
    cluster_a_deploy_that_cannot_become_ready_leaves_the_old_replicas,
    local_a_deploy_that_cannot_become_ready_leaves_the_old_replicas);
