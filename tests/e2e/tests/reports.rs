//! What scripts read has one shape wherever services run: the keys of every verb's JSON, and the columns of its tables.
//!
//! Both places are compared with what is written here, and so with each other.

use std::collections::BTreeSet;

use e2e::{World, in_both};
use serde_json::Value;

const STATUS: &[&str] = &[
    "[].autoscaler",
    "[].created",
    "[].image",
    "[].managedBy",
    "[].name",
    "[].namespace",
    "[].pods[].name",
    "[].pods[].node",
    "[].pods[].ready",
    "[].pods[].restarts",
    "[].ready",
    "[].reasons",
    "[].state",
    "[].updated",
    "[].version",
    "[].wanted",
];

const DEPLOY: &[&str] = &[
    "dryRun",
    "namespace",
    "services[].name",
    "services[].objects[].action",
    "services[].objects[].object",
    "services[].rollout.milliseconds",
    "services[].rollout.ready",
    "services[].rollout.wanted",
];

const SCALE: &[&str] = &["[].before", "[].milliseconds", "[].name", "[].namespace", "[].ready", "[].replicas"];

const DELETE: &[&str] = &["[].kept", "[].name", "[].namespace", "[].objects[]"];

const LOGS: &[&str] = &["line", "pod", "service", "time"];

fn reports_have_one_shape(world: &World) {
    world.start(1);
    let run = |args: &[&str]| world.msctl(args).ok();

    let status = run(&["status", "service-a", "service-b", "-o", "json"]).json();
    assert_eq!(keys(&status), set(STATUS), "{status:#}");
    let yaml = run(&["status", "service-a", "service-b", "-o", "yaml"]).stdout;
    let of_yaml: Value = serde_yaml::from_str(&yaml).expect("YAML");
    assert_eq!(of_yaml, status);
    assert_eq!(status[0]["state"], "ready");
    assert_eq!((&status[0]["namespace"], &status[0]["name"]), (&world.namespace().into(), &"service-a".into()));
    let names = run(&["status", "service-a", "service-b", "-o", "name"]).stdout;
    assert_eq!(names.lines().filter_map(of_a_kind).collect::<Vec<_>>(), ["service-a", "service-b"], "{names}");
    let table = run(&["status"]).stdout;
    assert_eq!(columns(&table), ["NAME", "READY", "STATUS", "AGE", "VERSION", "REASON"], "{table}");
    let wide = run(&["status", "-o", "wide"]).stdout;
    let more = ["IMAGE", "NODES", "RESTARTS", "SCALES", "MANAGED-BY"];
    assert_eq!(
        columns(&wide),
        [&["NAME", "READY", "STATUS", "AGE", "VERSION"], &more[..], &["REASON"]].concat(),
        "{wide}"
    );

    let deploy = run(&["deploy", "service-a", "--set", "env.IDLE_TIMEOUT=59s", "-o", "json"]).json();
    assert_eq!(keys(&deploy), set(DEPLOY), "{deploy:#}");
    let actions: Vec<&Value> = deploy["services"][0]["objects"].as_array().into_iter().flatten().collect();
    assert!(actions.iter().any(|object| object["action"] == "configured"), "{deploy:#}");
    let scale = run(&["scale", "service-a", "--replicas", "2", "-o", "json"]).json();
    assert_eq!(keys(&scale), set(SCALE), "{scale:#}");
    assert_eq!((&scale[0]["before"], &scale[0]["replicas"], &scale[0]["ready"]), (&1.into(), &2.into(), &2.into()));
    let logs = run(&["logs", "service-a", "--tail", "1", "-o", "json"]).stdout;
    let line: Value = serde_json::from_str(logs.lines().next().expect("a line")).expect("an object a line");
    assert_eq!(keys(&line), set(LOGS), "{line}");
    let delete = run(&["delete", "service-a", "-o", "json"]).json();
    assert_eq!(keys(&delete), set(DELETE), "{delete:#}");
    let deleted = run(&["delete", "service-b", "-o", "name"]).stdout;
    assert!(deleted.lines().any(|line| of_a_kind(line) == Some("service-b")), "{deleted}");
}

in_both!(reports_have_one_shape, "reports": cluster_reports_have_one_shape, local_reports_have_one_shape);

/// `NAME` of `KIND/NAME`. The kind is the place's own: a `deployment.apps`, a `process`.
fn of_a_kind(line: &str) -> Option<&str> {
    line.split_once('/').map(|(_, name)| name)
}

/// Where a value has something that is no map and no list: `[].pods[].name`.
fn keys(value: &Value) -> BTreeSet<String> {
    fn collect(value: &Value, at: &str, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                let dot = if at.is_empty() { "" } else { "." };
                for (key, value) in map {
                    collect(value, &format!("{at}{dot}{key}"), keys);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for value in list {
                    collect(value, &format!("{at}[]"), keys);
                }
            }
            _ => drop(keys.insert(at.to_owned())),
        }
    }
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn columns(table: &str) -> Vec<&str> {
    table.lines().next().unwrap_or_default().split_whitespace().collect()
}
