//! Cases, goldens and how they are compared; used by both halves of the chain.

use std::path::{Path, PathBuf};

use manifests::{Release, objects, values};
use serde_json::{Map, Value};

pub const NAMESPACE: &str = "shop";

/// One case: a user's values for a service, and the golden that they lead to.
#[derive(Debug, Clone)]
pub struct Case {
    pub service: String,
    pub name: String,
    pub values: PathBuf,
    pub golden: PathBuf,
}

/// Values that have to be refused.
#[derive(Debug, Clone)]
pub struct Refused {
    pub name: String,
    pub service: String,
    pub values: PathBuf,
    /// msctl's problems, each whole.
    pub problems: Vec<String>,
    /// A part of Helm's message.
    pub helm: Vec<String>,
}

pub fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub fn charts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts")
}

/// Whether goldens are to be written instead of compared.
pub fn updates() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some()
}

pub fn read(path: &Path) -> String {
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

pub fn cases() -> Vec<Case> {
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

pub fn refused() -> Vec<Refused> {
    let refused = files(&tests().join("refused")).into_iter().map(|values| {
        let text = read(&values);
        let said = |key: &str| -> Vec<String> {
            let start = format!("# {key}: ");
            text.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
        };
        let problems = said("refused");
        let helm = Some(said("helm")).filter(|helm| !helm.is_empty()).unwrap_or_else(|| problems.clone());
        assert!(!problems.is_empty(), "{}: no `# refused:`", values.display());
        Refused { name: stem(&values), service: said("service")[0].clone(), values, problems, helm }
    });
    refused.collect()
}

/// The user's values of a case.
pub fn user_values(path: &Path) -> Value {
    values::parse_yaml(&read(path), &path.display().to_string()).unwrap()
}

/// What msctl makes of a user's values.
pub fn typed(service: &str, user: Value) -> Result<Vec<Value>, values::ValuesError> {
    let merged = values::merge(values::defaults(service).unwrap(), user);
    let values = values::resolve(merged)?;
    let release = Release { name: service, instance: service, namespace: NAMESPACE, managed_by: "msctl" };
    let objects = objects(&release, &values).unwrap();
    Ok(sorted(objects.iter().map(manifests::Object::to_json).collect()))
}

/// Objects in an order of their own.
pub fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| (text(object, "/kind"), text(object, "/metadata/name")));
    objects
}

pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What Helm makes beside the release's objects.
pub fn is_hook(object: &Value) -> bool {
    object.pointer("/metadata/annotations/helm.sh~1hook").is_some()
}

pub fn golden(case: &Case) -> Vec<Value> {
    let golden: Value = serde_json::from_str(&read(&case.golden)).unwrap();
    golden.as_array().unwrap().clone()
}

/// What is compared: nulls are stripped, and exactly what the design says is ignored.
pub fn comparable(mut objects: Vec<Value>) -> Vec<Value> {
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
pub fn difference(left: &[Value], right: &[Value]) -> Option<String> {
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

/// JSON with the keys in order, so that a file does not depend on who wrote it.
pub fn pretty(value: &Value) -> String {
    fn ordered(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
                Value::Object(sorted.into_iter().map(|(k, v)| (k.clone(), ordered(v))).collect::<Map<_, _>>())
            }
            Value::Array(items) => Value::Array(items.iter().map(ordered).collect()),
            other => other.clone(),
        }
    }
    format!("{}\n", serde_json::to_string_pretty(&ordered(value)).unwrap())
}
