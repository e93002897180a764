//! A rolling restart under load: not one request may fail.
#![expect(clippy::print_stderr, reason = "the counts belong into the test's output")]

use std::time::Duration;

use e2e::load::{Load, Report};
use e2e::{Scenario, eventually};

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
    for (path, Report { answered, failures }) in [("/service-b", through), ("/", direct)] {
        eprintln!("{path}: {answered} answered, {} failed", failures.len());
        assert!(answered > 1000, "too little load: {answered} answers");
        assert!(
            failures.is_empty(),
            "{path}: {} of {answered} failed: {:#?}",
            failures.len(),
            &failures[..failures.len().min(5)]
        );
    }
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
