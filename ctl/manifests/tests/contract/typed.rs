//! msctl's side: from a case's values to typed objects, as JSON.

use std::path::Path;

use manifests::{Release, objects, values};
use serde_json::Value;

use crate::support::{NAMESPACE, read, sorted};

/// The user's values of a case.
pub(crate) fn user_values(path: &Path) -> Value {
    values::parse_yaml(&read(path), &path.display().to_string()).unwrap()
}

/// What msctl makes of a user's values.
pub(crate) fn typed(service: &str, user: Value) -> Result<Vec<Value>, values::ValuesError> {
    let merged = values::merge(values::defaults(service).unwrap(), user);
    let values = values::resolve(merged)?;
    let release = Release { name: service, instance: service, namespace: NAMESPACE, managed_by: "msctl" };
    let objects = objects(&release, &values).unwrap();
    Ok(sorted(objects.iter().map(manifests::Object::to_json).collect()))
}

/// What Helm makes beside the release's objects.
pub(crate) fn is_hook(object: &Value) -> bool {
    object.pointer("/metadata/annotations/helm.sh~1hook").is_some()
}
