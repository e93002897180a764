//! Cases, goldens and how they are compared; used by both halves of the chain.

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) const NAMESPACE: &str = "shop";

/// One case: a user's values for a service, and the golden that they lead to.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) values: PathBuf,
    pub(crate) golden: PathBuf,
}

/// Values that have to be refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) values: PathBuf,
    text: String,
}

impl Refused {
    /// What the file says under a key, one entry a line.
    pub(crate) fn said(&self, key: &str) -> Vec<String> {
        let start = format!("# {key}: ");
        self.text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    }
}

pub(crate) fn tests() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests")
}

pub(crate) fn charts() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../charts")
}

/// Whether goldens are to be written instead of compared.
pub(crate) fn updates() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some()
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

pub(crate) fn cases() -> Vec<Case> {
    let services = files(&tests().join("cases"));
    let cases = services.iter().flat_map(|service| {
        files(service).into_iter().map(|values| {
            let (service, name) = (stem(service), stem(&values));
            let golden = tests().join("goldens").join(&service).join(format!("{name}.json"));
            Case { service, name, values, golden }
        })
    });
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() > 10, "the cases are missing");
    cases
}

pub(crate) fn refused() -> Vec<Refused> {
    let refused = files(&tests().join("refused")).into_iter().map(|values| {
        let text = read(&values);
        let service = text.lines().next().and_then(|line| line.strip_prefix("# service: "));
        let service = service.unwrap_or_else(|| panic!("{}: no `# service:`", values.display())).to_owned();
        Refused { name: stem(&values), service, values, text }
    });
    refused.collect()
}

/// Objects in an order of their own.
pub(crate) fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| (text(object, "/kind"), text(object, "/metadata/name")));
    objects
}

pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(crate) fn golden(case: &Case) -> Vec<Value> {
    let golden: Value = serde_json::from_str(&read(&case.golden)).unwrap();
    golden.as_array().unwrap().clone()
}

/// What is compared: nulls are stripped, and exactly what the design says is ignored.
pub(crate) fn comparable(mut objects: Vec<Value>) -> Vec<Value> {
    const LABELS: [&str; 3] = ["app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"];
    for object in &mut objects {
        strip_nulls(object);
        let Some(metadata) = object["metadata"].as_object_mut() else { continue };
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.retain(|key, _| !LABELS.contains(&key.as_str()));
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.starts_with("meta.helm.sh/"));
        }
    }
    objects
}

fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// The first place where two lists of objects differ, in words.
pub(crate) fn difference(left: &[Value], right: &[Value]) -> Option<String> {
    let names = |objects: &[Value]| -> Vec<String> {
        objects.iter().map(|o| format!("{}/{}", text(o, "/kind"), text(o, "/metadata/name"))).collect()
    };
    if names(left) != names(right) {
        return Some(format!("objects: {:?} here, {:?} there", names(left), names(right)));
    }
    left.iter().zip(right).zip(names(left)).find_map(|((left, right), name)| differs(left, right, &name))
}

fn differs(left: &Value, right: &Value, path: &str) -> Option<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            keys.into_iter().find_map(|key| {
                let null = Value::Null;
                differs(left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null), &format!("{path}.{key}"))
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(index, (left, right))| differs(left, right, &format!("{path}[{index}]")))
        }
        _ if left == right => None,
        _ => Some(format!("{path}: {left} here, {right} there")),
    }
}
