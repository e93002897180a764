//! The charts' schemas and versions.

use manifests::values::{bundled, chart_schema, parse_yaml, schema, umbrella_schema};
use serde_json::Value;

use crate::support::{charts, read, updates};

/// What the umbrella calls the charts that msctl has no types for.
const DATABASES: [&str; 2] = ["service-a-postgres", "service-b-postgres"];

fn check(chart: &str, schema: &Value) {
    let path = charts().join(chart).join("values.schema.json");
    let generated = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if updates() {
        std::fs::write(&path, generated).unwrap();
        return;
    }
    let committed = read(&path);
    assert!(
        committed == generated,
        "charts/{chart}/values.schema.json is not what the types say; write it with UPDATE_GOLDENS=1 cargo test -p manifests"
    );
}

#[test]
fn the_charts_schemas_are_those_of_the_types() {
    for chart in bundled() {
        check(chart, &chart_schema(chart));
    }
    let dependencies: Vec<&str> = bundled().chain(DATABASES).collect();
    check("demo", &umbrella_schema("demo", &dependencies));
}

fn chart(name: &str) -> Value {
    parse_yaml(&read(&charts().join(name).join("Chart.yaml")), name).unwrap()
}

#[test]
fn the_charts_and_their_images_have_the_workspaces_version() {
    let version = env!("CARGO_PKG_VERSION");
    for name in ["microservice", "service-a", "service-b", "jaeger", "postgres", "demo"] {
        let chart = chart(name);
        assert_eq!(chart["version"], version, "{name}");
        for dependency in chart["dependencies"].as_array().into_iter().flatten() {
            assert_eq!(dependency["version"], version, "{name}: {}", dependency["name"]);
        }
    }
    for name in ["service-a", "service-b"] {
        assert_eq!(chart(name)["appVersion"], version, "{name}");
    }
    for name in bundled() {
        let values = manifests::values::defaults(name).unwrap();
        assert_eq!(values["image"]["tag"], chart(name)["appVersion"], "{name}");
        assert_eq!(values["test"]["image"], format!("ghcr.io/msctl/msctl:{version}"), "{name}");
    }
    let postgres = parse_yaml(&read(&charts().join("postgres/values.yaml")), "postgres").unwrap();
    assert_eq!(postgres["image"]["tag"], chart("postgres")["appVersion"]);
    assert_eq!(umbrella_values()["test"]["image"], format!("ghcr.io/msctl/msctl:{version}"));
}

fn umbrella_values() -> Value {
    parse_yaml(&read(&charts().join("demo/values.yaml")), "demo").unwrap()
}

/// Every key that has to be there, as the schema says, on the way down through maps of fixed keys.
fn required(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let is_required = schema["required"].as_array().is_some_and(|required| required.contains(&key.as_str().into()));
        if is_required {
            found.push(path.clone());
            required_below(property, &path, found);
        }
    }
}

fn required_below(property: &Value, path: &str, found: &mut Vec<String>) {
    if property["type"] == "object" {
        required(property, path, found);
    }
}

#[test]
fn the_charts_require_what_the_schema_requires() {
    let template = read(&charts().join("microservice/templates/_validate.tpl"));
    let list = template.split("define \"microservice.required\" -}}").nth(1).unwrap().split("{{-").next().unwrap();
    let mut listed: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    listed.sort();
    let mut wanted = Vec::new();
    required(&schema(), "", &mut wanted);
    wanted.sort();
    assert_eq!(listed, wanted);
}
