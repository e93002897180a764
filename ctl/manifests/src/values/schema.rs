//! The JSON schemas (draft-07) of the charts' values, generated from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::formats;
use super::types::Values;

/// The schema of complete values, as [`super::resolve`] checks them: every key, which ones have to be there, named formats.
#[must_use]
pub fn schema() -> Value {
    let mut schema = generate::<Values>();
    simplify(&mut schema);
    schema
}

/// The schema of a service's chart.
///
/// Nothing that has a default is required, because `helm lint` checks a chart's own values without the library's. What Helm itself
/// adds is allowed: `global`, the library chart's key, and `enabled`, the umbrella's condition.
#[must_use]
pub fn chart_schema(chart: &str) -> Value {
    let mut schema = schema();
    relax(&mut schema);
    formats_to_patterns(&mut schema);
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.insert("global".into(), json!({ "type": "object", "description": "Set by Helm." }));
        properties.insert(
            "microservice".into(),
            json!({ "type": "object", "description": "Set by Helm: the library chart." }),
        );
        let enabled = "Whether an umbrella chart installs this chart; of no meaning by itself.";
        properties.insert("enabled".into(), json!({ "type": "boolean", "description": enabled }));
    }
    titled(&schema, &format!("Values of the chart {chart}"))
}

/// The schema of an umbrella chart over these charts, each of which checks its own part.
#[must_use]
pub fn umbrella_schema(chart: &str, dependencies: &[&str]) -> Value {
    let mut properties = Map::new();
    for dependency in dependencies {
        let description = format!("Values of the chart {dependency}, which has a schema of its own.");
        properties.insert((*dependency).to_owned(), json!({ "type": "object", "description": description }));
    }
    properties.insert("global".into(), json!({ "type": "object", "description": "Set by Helm." }));
    properties.insert(
        "test".into(),
        json!({
            "type": "object",
            "description": "What `helm test` does.",
            "properties": {
                "image": { "type": "string", "description": "The image that makes the request: msctl's." },
                "url": { "type": "string", "description": "What is called: A, which calls B." },
            },
            "additionalProperties": false,
        }),
    );
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    titled(&schema, &format!("Values of the chart {chart}"))
}

fn generate<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The schema with a title of its own, which comes first, and a word that it is generated.
fn titled(schema: &Value, title: &str) -> Value {
    let mut titled = Map::new();
    for key in ["$schema", "$comment", "title"] {
        let value = match key {
            "$comment" => json!(
                "Generated from ctl/manifests/src/values/types; UPDATE_GOLDENS=1 cargo test -p manifests writes it."
            ),
            "title" => json!(title),
            key => schema[key].clone(),
        };
        titled.insert(key.to_owned(), value);
    }
    let rest = schema
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !["$schema", "title", "description"].contains(&key.as_str()));
    titled.extend(rest.map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(titled)
}

/// Removes what the generator adds without need, and writes choices the short way.
fn simplify(schema: &mut Value) {
    each_schema(schema, &mut |map| {
        map.remove("default");
        // What a type of 32 bits can't hold would be refused later, without the key.
        if map.get("format").is_some_and(|format| format == "int32") {
            map.entry("maximum").or_insert(i32::MAX.into());
        }
        if map.get("format").and_then(Value::as_str).is_some_and(|format| formats::named(format).is_none()) {
            map.remove("format");
        }
        shorten_choice(map);
        shorten_nullable(map);
        shorten_bounds(map);
    });
}

/// `oneOf` constants become an `enum`.
fn shorten_choice(map: &mut Map<String, Value>) {
    let Some(choices) = map.get("oneOf").and_then(Value::as_array) else { return };
    let constants: Option<Vec<Value>> = choices.iter().map(|choice| choice.get("const").cloned()).collect();
    if let Some(constants) = constants {
        map.remove("oneOf");
        map.insert("type".into(), json!("string"));
        map.insert("enum".into(), Value::Array(constants));
    }
}

/// `anyOf` something and null becomes the something with null among its types.
fn shorten_nullable(map: &mut Map<String, Value>) {
    let Some([Value::Object(inner), null]) = map.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) else {
        return;
    };
    if *null != json!({ "type": "null" }) {
        return;
    }
    let mut inner = inner.clone();
    shorten_choice(&mut inner);
    map.remove("anyOf");
    for (key, value) in inner {
        let value = match (key.as_str(), value) {
            ("type", Value::String(kind)) => json!([kind, "null"]),
            ("type", Value::Array(mut kinds)) => {
                kinds.push(json!("null"));
                Value::Array(kinds)
            }
            ("enum", Value::Array(mut choices)) => {
                choices.push(Value::Null);
                Value::Array(choices)
            }
            (_, value) => value,
        };
        map.entry(key).or_insert(value);
    }
}

/// Whole bounds are written without a fraction.
fn shorten_bounds(map: &mut Map<String, Value>) {
    for key in ["minimum", "maximum"] {
        if let Some(number) = map.get(key).and_then(Value::as_f64).and_then(super::scalar::whole_or_float) {
            map.insert(key.to_owned(), Value::Number(number));
        }
    }
}

/// Drops `required` where a default stands in: on the way down through `properties`, not within lists and named entries.
fn relax(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    map.remove("required");
    for property in map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        relax(property.1);
    }
}

/// Our named formats, which only msctl knows, become patterns, which Helm knows too.
fn formats_to_patterns(schema: &mut Value) {
    each_schema(schema, &mut |map| {
        let format = map.remove("format");
        if let Some(format) = format.as_ref().and_then(Value::as_str).and_then(formats::named) {
            map.insert("pattern".into(), json!(format.pattern));
        }
    });
}

/// Visits a schema and all schemas within, innermost last.
fn each_schema(schema: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    let Some(map) = schema.as_object_mut() else { return };
    visit(map);
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for property in properties.values_mut() {
                    each_schema(property, visit);
                }
            }
            ("items" | "additionalProperties" | "propertyNames", value) => each_schema(value, visit),
            ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                for schema in schemas {
                    each_schema(schema, visit);
                }
            }
            _ => {}
        }
    }
}
