//! The demo chart, by Helm alone: what a person does who never heard of msctl.

use std::collections::BTreeSet;

use e2e::scenario::project;
use e2e::{Scenario, eventually};

const SERVICES: [(&str, u16); 2] = [("service-a", 9000), ("service-b", 9001)];

#[test]
fn helm_installs_tests_upgrades_and_uninstalls_the_demo() {
    let scenario = Scenario::new("demo-chart");
    let chart = project("charts/demo");
    scenario.helm(&["install", "demo", &chart, "--wait", "--timeout", "3m"]).ok();

    let mut nodes = BTreeSet::new();
    for (service, _) in SERVICES {
        let pods = scenario.ready_pods(service);
        assert!(!pods.is_empty(), "{service} has no ready pod");
        nodes.extend(pods.into_iter().map(|(_, node)| node));
    }
    assert!(nodes.len() >= 2, "all pods run on {nodes:?}");
    assert_eq!(scenario.ready_pods("jaeger").len(), 1);

    scenario.helm(&["test", "demo", "--timeout", "2m"]).ok();

    for (service, admin_port) in SERVICES {
        for (pod, _) in scenario.ready_pods(service) {
            let resident = resident_megabytes(&scenario, &pod, admin_port);
            assert!(resident <= 8.0, "{pod} holds {resident:.1} MB resident while idle");
        }
    }

    let upgrade = ["upgrade", "demo", &chart, "--wait", "--timeout", "3m", "--set", "service-a.replicas=3"];
    scenario.helm(&upgrade).ok();
    eventually("three ready pods of service-a", || match scenario.ready_pods("service-a").len() {
        3 => Ok(()),
        count => Err(format!("{count} are ready")),
    });

    scenario.helm(&["uninstall", "demo", "--wait", "--timeout", "2m"]).ok();
    eventually("nothing left behind", || {
        let left = scenario.get(&["all,networkpolicies,poddisruptionbudgets,secrets,persistentvolumeclaims"]);
        match left["items"].as_array().map(Vec::len) {
            Some(0) => Ok(()),
            _ => Err(left.to_string()),
        }
    });
}

fn resident_megabytes(scenario: &Scenario, pod: &str, admin_port: u16) -> f64 {
    let metrics = scenario.metrics(pod, admin_port);
    let line = metrics.lines().find(|line| line.starts_with("process_resident_memory_bytes "));
    let bytes: Option<f64> = line.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    bytes.unwrap_or_else(|| panic!("no resident memory in\n{metrics}")) / 1024.0 / 1024.0
}
