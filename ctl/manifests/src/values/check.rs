//! Checking values against their schema, with errors for people: where, what, what is allowed, what was probably meant.
//!
//! All problems are found at once; a deserialiser would stop at the first and would not know its path.

use serde_json::{Map, Value};

use super::formats;
use crate::suggest::nearest;

/// One thing that is wrong with values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The keys down to it, such as `service.port` or `tolerations[0].effect`; empty for the values as a whole.
    pub path: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Everything that is wrong with a value by its schema.
pub(crate) fn problems(value: &Value, schema: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    check(value, schema, "", &mut found);
    found
}

fn check(value: &Value, schema: &Value, path: &str, found: &mut Vec<Problem>) {
    let mut problem = |message: String| found.push(Problem { path: path.to_owned(), message });
    if !types(schema).any(|kind| is_of(value, kind)) {
        return problem(wrong_type(value, schema));
    }
    match value {
        Value::Object(map) => check_map(map, schema, path, found),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(item, &schema["items"], &format!("{path}[{index}]"), found);
            }
        }
        Value::String(text) => {
            if let Some(message) = wrong_text(text, schema) {
                problem(message);
            }
        }
        Value::Number(number) => {
            let outside = |bound: &str, wrong: fn(f64, f64) -> bool| {
                schema[bound].as_f64().is_some_and(|bound| number.as_f64().is_some_and(|n| wrong(n, bound)))
            };
            if outside("minimum", |n, least| n < least) || outside("maximum", |n, most| n > most) {
                problem(format!("{number} is out of range; allowed: {}", allowed(schema)));
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
}

fn check_map(map: &Map<String, Value>, schema: &Value, path: &str, found: &mut Vec<Problem>) {
    let properties = schema["properties"].as_object();
    for (key, value) in map {
        let path = join(path, key);
        if let Some(property) = properties.and_then(|properties| properties.get(key)) {
            check(value, property, &path, found);
            continue;
        }
        match &schema["additionalProperties"] {
            Value::Object(_) => {
                if let Some(message) = wrong_text(key, &schema["propertyNames"]) {
                    found.push(Problem { path: path.clone(), message: format!("the key {message}") });
                }
                check(value, &schema["additionalProperties"], &path, found);
            }
            Value::Bool(false) => found.push(Problem { path, message: unknown(key, properties) }),
            _ => {}
        }
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(key) {
            let message = "it is missing, and there is no default; a null deletes one".to_owned();
            found.push(Problem { path: join(path, key), message });
        }
    }
}

fn unknown(key: &str, properties: Option<&Map<String, Value>>) -> String {
    let known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let known_list = known.join(", ");
    match nearest(key, known.iter().copied()) {
        Some(meant) => format!("unknown key; did you mean `{meant}`?"),
        None if known.is_empty() => "unknown key; none are allowed here".to_owned(),
        None => format!("unknown key; allowed here: {known_list}"),
    }
}

fn join(path: &str, key: &str) -> String {
    // A dot within a key is escaped as --set wants it.
    let key = key.replace('.', "\\.");
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema["type"].as_str();
    let many = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // A schema without a type allows every one.
    let any = (one.is_none() && !schema["type"].is_array()).then_some("any");
    one.into_iter().chain(many).chain(any)
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn wrong_type(value: &Value, schema: &Value) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("{truth} is a boolean"),
        Value::Number(number) => format!("{number} is a number"),
        Value::String(text) => format!("`{text}` is a string"),
        Value::Array(_) => "it is a list".to_owned(),
        Value::Object(_) => "it is a map".to_owned(),
    };
    let scalar = matches!(value, Value::Bool(_) | Value::Number(_));
    let hint = if scalar && types(schema).any(|kind| kind == "string") {
        "; put it in quotes, or use --set-string"
    } else {
        ""
    };
    format!("{found}; allowed: {}{hint}", allowed(schema))
}

fn wrong_text(text: &str, schema: &Value) -> Option<String> {
    if let Some(choices) = schema["enum"].as_array() {
        if choices.iter().any(|choice| choice == text) {
            return None;
        }
        let meant = nearest(text, choices.iter().filter_map(Value::as_str));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        return Some(format!("`{text}` is not allowed; allowed: {}{meant}", allowed(schema)));
    }
    let format = schema["format"].as_str().and_then(formats::named)?;
    if (format.check)(text) {
        return None;
    }
    Some(format!("`{text}` is not allowed; allowed: {}", format.allowed))
}

/// What a schema allows, in words.
fn allowed(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> = choices.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        return choices.join(", ");
    }
    if let Some(format) = schema["format"].as_str().and_then(formats::named) {
        return format.allowed.to_owned();
    }
    let words: Vec<String> = types(schema)
        .filter(|kind| *kind != "null")
        .map(|kind| match kind {
            "integer" => whole_number(schema),
            "number" => "a number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => "a list".to_owned(),
            "object" => "a map".to_owned(),
            kind => format!("a {kind}"),
        })
        .collect();
    words.join(" or ")
}

fn whole_number(schema: &Value) -> String {
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
        (Some(least), None) => format!("a whole number, {least} or more"),
        _ => "a whole number".to_owned(),
    }
}
