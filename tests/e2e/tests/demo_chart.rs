//! The demo chart, by Helm alone: what a person does who never heard of msctl.

use std::collections::BTreeSet;

use e2e::scenario::project;
use e2e::{Run, Scenario, eventually};
use serde_json::Value;

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
    for one in ["jaeger", "service-a-postgres", "service-b-postgres"] {
        assert_eq!(scenario.ready_pods(one).len(), 1, "{one}");
    }

    let tested = scenario.helm(&["test", "demo", "--timeout", "2m"]).ok();
    for pod in ["demo-test", "service-a-test", "service-b-test"] {
        assert!(tested.stdout.contains(pod), "{pod} is not among the tests:\n{tested}");
    }

    for (service, admin_port) in SERVICES {
        for (pod, _) in scenario.ready_pods(service) {
            let resident = resident_megabytes(&scenario, &pod, admin_port);
            assert!(resident <= 8.0, "{pod} holds {resident:.1} MB resident while idle");
        }
    }

    let databases = ["service-a", "service-b"].map(|service| Database { scenario: &scenario, service });
    let passwords = databases.each_ref().map(Database::url);
    for database in &databases {
        database.sql("CREATE TABLE kept (value text); INSERT INTO kept VALUES ('before')");
    }

    let upgrade = ["upgrade", "demo", &chart, "--wait", "--timeout", "3m", "--set", "service-a.replicas=3"];
    scenario.helm(&upgrade).ok();
    eventually("three ready pods of service-a", || match scenario.ready_pods("service-a").len() {
        3 => Ok(()),
        count => Err(format!("{count} are ready")),
    });

    assert_eq!(databases.each_ref().map(Database::url), passwords, "an upgrade keeps the passwords");

    for database in &databases {
        let pod = format!("pod/{}-postgres-0", database.service);
        scenario.kubectl(&["delete", &pod, "--timeout=60s"]).ok();
        let set = format!("statefulset/{}-postgres", database.service);
        scenario.kubectl(&["rollout", "status", &set, "--timeout=120s"]).ok();
        assert_eq!(database.sql("SELECT value FROM kept"), "before\n");
    }

    scenario.helm(&["uninstall", "demo", "--wait", "--timeout", "2m"]).ok();
    // A volume and the password that opens it: what can't be had back.
    let kept = [
        "PersistentVolumeClaim/data-service-a-postgres-0",
        "PersistentVolumeClaim/data-service-b-postgres-0",
        "Secret/service-a-postgres",
        "Secret/service-b-postgres",
    ];
    eventually("only the databases' volumes and passwords left behind", || {
        let left = scenario.get(&["all,networkpolicies,poddisruptionbudgets,secrets,persistentvolumeclaims"]);
        let name = |object: &Value| format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]));
        let mut names: Vec<String> = left["items"].as_array().into_iter().flatten().map(name).collect();
        names.sort();
        if names == kept { Ok(()) } else { Err(names.join(", ")) }
    });
}

/// The Postgres of a service.
struct Database<'a> {
    scenario: &'a Scenario,
    service: &'static str,
}

impl Database<'_> {
    /// As its service is told: the password is in it.
    fn url(&self) -> String {
        text(&self.scenario.get(&["secret", &format!("{}-postgres", self.service)])["data"]["url"]).to_owned()
    }

    /// What a statement prints.
    fn sql(&self, statement: &str) -> String {
        let pod = format!("{}-postgres-0", self.service);
        let user = self.service.replace('-', "_");
        let mut command = self.scenario.kubectl_command(&["exec"]);
        command.args([&pod, "--", "psql", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        command.args(["--username", &user, "--command", statement, &user]);
        Run::of(&mut command, b"").ok().stdout
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn resident_megabytes(scenario: &Scenario, pod: &str, admin_port: u16) -> f64 {
    let metrics = scenario.metrics(pod, admin_port);
    let line = metrics.lines().find(|line| line.starts_with("process_resident_memory_bytes "));
    let bytes: Option<f64> = line.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    bytes.unwrap_or_else(|| panic!("no resident memory in\n{metrics}")) / 1e6
}
