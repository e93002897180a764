//! A rolling restart, and a deploy, under load: not one request may fail.

use std::time::Duration;

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
    world.start(2);
    let before = [world.replicas("service-a"), world.replicas("service-b")];
    let address = world.address("service-a");
    let (through, (direct, ())) = LOAD.run(address, "/service-b", "Hello, ServiceB!", || {
        LOAD.run(address, "/", "Hello, World!", || {
            for service in ["service-a", "service-b"] {
                world.msctl(&["deploy", service, "--set", "env.IDLE_TIMEOUT=59s"]).ok();
            }
            // Old replicas go on serving while they drain: the load runs until the last is gone.
            for (service, before) in ["service-a", "service-b"].into_iter().zip(&before) {
                eventually("old replicas gone", || {
                    let now = world.replicas(service);
                    if now.len() == 2 && now.is_disjoint(before) { Ok(()) } else { Err(format!("{now:?}")) }
                });
            }
        })
    });
    through.none_failed("/service-b", 100);
    direct.none_failed("/", 100);
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
    let status = world.msctl(&["status", "service-a", "-o", "json"]).ok().json();
    assert_eq!((&status[0]["state"], &status[0]["reasons"]), (&"ready".into(), &serde_json::json!([])), "{status}");
    eventually("old replicas gone", || {
        let now = world.replicas("service-a");
        if now.is_disjoint(&before) { Ok(()) } else { Err(format!("{now:?}")) }
    });
}

in_both!(a_deploy_that_cannot_become_ready_leaves_the_old_replicas, "no-deploy":
    cluster_a_deploy_that_cannot_become_ready_leaves_the_old_replicas,
    local_a_deploy_that_cannot_become_ready_leaves_the_old_replicas);
