//! Every value of the schema is toggled by some case, and there it changes what is made.

use std::collections::BTreeSet;

use manifests::values::{self, schema};
use serde_json::{Map, Value};

use crate::support::{Case, cases, comparable, golden, sorted};
use crate::typed::{is_hook, typed, user_values};

/// A step down into values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    /// Any key of a map without fixed keys.
    AnyKey,
    /// Any item of a list.
    Item,
}

/// The leaves of a schema: what a user can set.
fn leaves(schema: &Value, path: &[Step], found: &mut Vec<Vec<Step>>) {
    let down = |step: Step| [path, &[step]].concat();
    if let Some(properties) = schema["properties"].as_object() {
        for (key, property) in properties {
            leaves(property, &down(Step::Key(key.clone())), found);
        }
    } else if schema["additionalProperties"].is_object() {
        leaves(&schema["additionalProperties"], &down(Step::AnyKey), found);
    } else if schema["items"].is_object() {
        leaves(&schema["items"], &down(Step::Item), found);
    } else {
        found.push(path.to_vec());
    }
}

fn written(path: &[Step]) -> String {
    let steps = path.iter().map(|step| match step {
        Step::Key(key) => format!(".{key}"),
        Step::AnyKey => ".*".to_owned(),
        Step::Item => "[]".to_owned(),
    });
    steps.collect::<String>().trim_start_matches('.').to_owned()
}

/// The values without what is at a path, once for each place that the path leads to.
fn without(values: &Value, path: &[Step]) -> Vec<Value> {
    let Some((step, rest)) = path.split_first() else { return Vec::new() };
    match (step, values) {
        (Step::Item, Value::Array(items)) => (0..items.len())
            .flat_map(|index| {
                let replaced = if rest.is_empty() {
                    let mut fewer = items.clone();
                    fewer.remove(index);
                    return vec![Value::Array(fewer)];
                } else {
                    without(&items[index], rest)
                };
                replaced
                    .into_iter()
                    .map(|item| {
                        let mut items = items.clone();
                        items[index] = item;
                        Value::Array(items)
                    })
                    .collect()
            })
            .collect(),
        (Step::Key(_) | Step::AnyKey, Value::Object(map)) => {
            let keys = map.keys().filter(|key| *step == Step::AnyKey || *step == Step::Key((*key).clone()));
            keys.flat_map(|key| without_key(map, key, rest)).collect()
        }
        _ => Vec::new(),
    }
}

fn without_key(map: &Map<String, Value>, key: &str, rest: &[Step]) -> Vec<Value> {
    let mut fewer = map.clone();
    let value = fewer.shift_remove(key).unwrap_or_default();
    if rest.is_empty() {
        return vec![Value::Object(fewer)];
    }
    let replaced = without(&value, rest).into_iter();
    replaced
        .map(|value| {
            let mut map = map.clone();
            map.insert(key.to_owned(), value);
            Value::Object(map)
        })
        .collect()
}

/// Whether a case shows that a value has an effect: without it, other objects come out, or the values are refused.
fn shows(case: &Case, path: &[Step]) -> bool {
    let user = user_values(&case.values);
    let fewer = without(&user, path);
    if fewer.is_empty() {
        return false;
    }
    let made = typed(&case.service, user).unwrap();
    fewer.into_iter().any(|fewer| typed(&case.service, fewer).map_or(true, |other| other != made))
}

#[test]
fn every_value_is_toggled_by_a_case_in_which_it_changes_something() {
    let mut paths = Vec::new();
    leaves(&schema(), &[], &mut paths);
    assert!(paths.len() > 100, "the schema has lost its leaves");
    let cases = cases();
    let untoggled: BTreeSet<String> = paths
        .iter()
        // Only the chart has tests; the next test looks at them.
        .filter(|path| path[0] != Step::Key("test".to_owned()))
        .filter(|path| !cases.iter().any(|case| shows(case, path)))
        .map(|path| written(path))
        .collect();
    assert!(untoggled.is_empty(), "no case shows what these do: {untoggled:#?}");
}

#[test]
fn the_tests_of_helm_use_their_values() {
    let case = cases().into_iter().find(|case| case.name == "environment").unwrap();
    let hooks: Vec<Value> = golden(&case).into_iter().filter(is_hook).collect();
    let container = &hooks[0]["spec"]["containers"][0];
    let test = &user_values(&case.values)["test"];
    assert_eq!(container["image"], test["image"]);
    let url = container["args"].as_array().unwrap().last().unwrap();
    assert_eq!(*url, format!("http://orders:8080{}", test["path"].as_str().unwrap()));
    assert_ne!(*test, values::defaults("orders").unwrap()["test"]);
}

#[test]
fn the_comparison_ignores_exactly_what_the_design_says() {
    let object = |labels: Value, annotations: Value| {
        sorted(vec![
            serde_json::json!({"kind": "X", "metadata": {"name": "x", "labels": labels, "annotations": annotations}}),
        ])
    };
    let ignored = serde_json::json!({"app.kubernetes.io/managed-by": "a", "app.kubernetes.io/instance": "b", "helm.sh/chart": "c"});
    let helms = serde_json::json!({"meta.helm.sh/release-name": "r"});
    let empty = || serde_json::json!({});
    assert_eq!(comparable(object(ignored, helms)), comparable(object(empty(), empty())));
    for key in ["app.kubernetes.io/version", "app.kubernetes.io/name", "helm.sh/other"] {
        let kept = object(serde_json::json!({ key: "x" }), empty());
        assert_ne!(comparable(kept), comparable(object(empty(), empty())), "{key}");
    }
}
