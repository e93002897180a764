//! `msctl scale`: it returns when that many are ready, and calls reach them all.

use std::collections::BTreeSet;

use e2e::{Scenario, eventually};

#[test]
fn scale_returns_when_all_are_ready_and_calls_reach_every_replica_on_both_nodes() {
    let scenario = Scenario::new("scale");
    scenario.msctl(&["deploy", "service-a", "service-b"]).ok();
    scenario.msctl(&["scale", "service-a", "--replicas", "5"]).ok();
    let pods = scenario.ready_pods("service-a");
    assert_eq!(pods.len(), 5, "returned with {pods:?} ready");
    let nodes: BTreeSet<_> = pods.iter().map(|(_, node)| node).collect();
    assert_eq!(nodes.len(), 2, "all on {nodes:?}");

    eventually("an answer from every replica", || {
        for _ in 0..10 {
            scenario.msctl(&["call", "service-a"]).ok().prints("Hello, World!");
        }
        let silent: Vec<_> = pods.iter().filter(|(pod, _)| answered(&scenario, pod) == 0).collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("no request reached {silent:?}")) }
    });

    // The deploy after it leaves the replicas alone: they belong to whoever set them last.
    scenario.msctl(&["deploy", "service-a", "--set", "podAnnotations.touched=yes"]).ok();
    assert_eq!(scenario.get(&["deployment", "service-a"])["spec"]["replicas"], 5);

    scenario.msctl(&["scale", "service-a", "--replicas", "0"]).ok();
    assert_eq!(scenario.pods("service-a").len(), 0);
}

/// How many requests of the traffic port this pod answered with 200, by its own count.
fn answered(scenario: &Scenario, pod: &str) -> u64 {
    let metrics = scenario.metrics(pod, 9000);
    let count = |line: &str| line.rsplit(' ').next()?.split('.').next()?.parse::<u64>().ok();
    metrics
        .lines()
        .filter(|line| line.starts_with("http_server_request_duration_seconds_count{"))
        .filter_map(|line| count(line.split(" # ").next()?))
        .sum()
}
