//! Values in a project's files: read, and each layer held to the schema by itself.

use std::path::{Path, PathBuf};

use manifests::values::{self, bundled, defaults, merge, resolve};
use serde_json::{Value, json};

use crate::document::{Cursor, Document};
use crate::find::read_text;
use crate::model::{Service, ValuesSource};
use crate::problem::Problem;

/// A key that the schema does not know.
const UNKNOWN: &str = "msctl-no-such-key";

/// What the schema says about one layer of values, each problem where its key is.
///
/// Only the keys that the layer has are judged. Rules between keys are not: another layer may bring what is needed, so they are for
/// whoever has them all together.
pub(crate) fn problems(service: &str, layer: &Cursor<'_>, file: &Path) -> Vec<Problem> {
    let root = layer.as_root();
    let placed = |problem: &values::Problem| {
        let near = root.nearest(&problem.path);
        // A null deletes what another layer says, and only all of them together show what is missing then.
        if near.path == problem.path && near.value.is_null() {
            return None;
        }
        // A key that is unknown is wrong itself; else it is the value.
        let at = if problem.message.starts_with("unknown key") { near.key } else { near.at() };
        Some(Problem::new(file, at, format!("{}: {}", layer.within(&problem.path), problem.message)))
    };
    schemas_problems(service, layer.value).iter().filter_map(placed).collect()
}

/// What the schema says first about a map of values, without its path.
pub(crate) fn problem_of(values: &Value) -> Option<String> {
    schemas_problems("", values).into_iter().next().map(|problem| problem.message)
}

fn schemas_problems(service: &str, layer: &Value) -> Vec<values::Problem> {
    let mut base = defaults(service).unwrap_or_default();
    base["image"]["repository"] = json!("registry.invalid/image");
    base["image"]["tag"] = json!("0");
    let mut merged = merge(base, layer.clone());
    // With it the check ends after the schema.
    merged[UNKNOWN] = Value::Null;
    let problems = resolve(merged).err().map(|error| error.problems).unwrap_or_default();
    problems.into_iter().filter(|problem| problem.path != UNKNOWN).collect()
}

/// A file of values. It is read and checked now, so that no command finds it broken when half its work is done.
pub(crate) fn file(file: PathBuf, service: &str) -> Result<ValuesSource, Vec<Problem>> {
    let text = read_text(&file).map_err(|problem| vec![problem])?;
    let document = Document::parse(&text, &file).map_err(|problem| vec![problem])?;
    let root = document.root();
    let problems = problems(service, &root, &file);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(ValuesSource { values: root.value.clone(), file: Some(file) })
}

/// The port that a service has on this machine, and whether the project says it.
pub(crate) fn local_port(service: &Service) -> (Option<u16>, Said) {
    let mut user = service.user_values();
    user.overlay(service.local.clone());
    let said = user.get(&["service", "port"]).is_some_and(|port| !port.is_null());
    let said = match (said, bundled().any(|name| name == service.name)) {
        (true, _) => Said::Yes,
        (false, true) => Said::ByItsChart,
        (false, false) => Said::No,
    };
    let values = merge(defaults(&service.name).unwrap_or_default(), user.into_value());
    let port = values.pointer("/service/port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    (port, said)
}

/// Who says which port a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Yes,
    ByItsChart,
    No,
}
