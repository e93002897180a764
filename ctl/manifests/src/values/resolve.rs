//! From merged values to typed ones: the schema first, then what the keys mean to each other.

use std::sync::LazyLock;

use serde_json::Value;

use super::check::{self, Problem};
use super::image;
use super::types::{DatabaseKind, Percent, Values};
use crate::{POSTGRES_FOLDER, SQLITE_FOLDER};

/// What is wrong with values; every problem is named by its path.
#[derive(Debug, thiserror::Error)]
#[error("the values are not valid:{}", lines(.problems))]
pub struct ValuesError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// Each problem on a line of its own.
fn lines(problems: &[Problem]) -> String {
    problems.iter().flat_map(|problem| ["\n  ".to_owned(), problem.to_string()]).collect()
}

/// Made once: it takes longer than the check.
static SCHEMA: LazyLock<Value> = LazyLock::new(super::schema);

/// Names of ports that the charts give themselves.
const OWN_PORTS: [&str; 2] = ["http", "admin"];
/// Variables that can't be overridden, because others refer to them.
const OWN_VARIABLES: [&str; 4] = ["NODE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "POD_NAME", "POD_NAMESPACE"];
/// Volume names that the charts give themselves; the second one with a database.
const OWN_VOLUMES: [&str; 2] = ["tmp", "database"];
/// What makes sharing possible, or needless.
const SHARED: &str = "set database.kind=postgres, or ";

/// What a `database.kind` sets, so that the user's own would say something else.
const DATABASE_VARIABLES: [&str; 2] = ["DATABASE_URL", "DATABASE_URL_FILE"];

/// Turns merged values into typed ones.
///
/// What Helm adds to a chart's values is ignored: `global`, the library chart's key, the umbrella's `enabled`.
pub fn resolve(mut values: Value) -> Result<Values, ValuesError> {
    if let Some(map) = values.as_object_mut() {
        for key in ["global", "microservice", "enabled"] {
            map.shift_remove(key);
        }
    }
    whole_numbers(&mut values);
    let problems = check::problems(&values, &SCHEMA);
    if !problems.is_empty() {
        return Err(ValuesError { problems });
    }
    let values: Values = serde_json::from_value(values).map_err(|error| ValuesError {
        problems: vec![Problem { path: "values".to_owned(), message: error.to_string() }],
    })?;
    let mut rules = Rules::default();
    rules.image(&values);
    rules.ports(&values);
    rules.numbers(&values);
    rules.routes(&values);
    rules.database(&values);
    rules.volumes(&values);
    rules.reserved(&values);
    if rules.0.is_empty() { Ok(values) } else { Err(ValuesError { problems: rules.0 }) }
}

/// JSON does not tell 3.0 from 3, and neither does Helm.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().and_then(super::scalar::whole_or_float) {
                *number = whole;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// Rules across keys. The charts' template `microservice.validate` holds the same ones, under the same paths.
#[derive(Default)]
struct Rules(Vec<Problem>);

impl Rules {
    fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into(), message: message.into() });
    }

    fn image(&mut self, values: &Values) {
        let repository = values.image.repository.as_deref().unwrap_or_default();
        if let Some(problem) = image::repository_problem(repository) {
            self.refuse("image.repository", problem);
        }
        if values.image.tag.is_none() && values.image.digest.is_none() {
            self.refuse("image.tag", "neither image.tag nor image.digest is set: set one, such as image.tag=1.0.0");
        }
    }

    fn ports(&mut self, values: &Values) {
        let mut taken = vec![("service.port".to_owned(), values.service.port)];
        taken.extend(values.admin.port.map(|port| ("admin.port".to_owned(), port)));
        for (name, port) in &values.service.extra_ports {
            let path = format!("service.extraPorts.{name}");
            if OWN_PORTS.contains(&name.as_str()) {
                self.refuse(&path, format!("the name `{name}` is taken by the chart: choose another"));
            }
            if !name.contains(|c: char| c.is_ascii_lowercase()) {
                self.refuse(&path, "a port's name needs a letter");
            }
            taken.push((path, *port));
        }
        for (at, (path, port)) in taken.iter().enumerate() {
            if let Some((other, _)) = taken[..at].iter().find(|(_, taken)| taken == port) {
                self.refuse(path, format!("{port} is the number of {other} too: ports of a pod have to differ"));
            }
        }
    }

    fn numbers(&mut self, values: &Values) {
        let scaling = &values.autoscaling;
        if scaling.min_replicas > scaling.max_replicas {
            let message =
                format!("{} is more than autoscaling.maxReplicas, {}", scaling.min_replicas, scaling.max_replicas);
            self.refuse("autoscaling.minReplicas", message);
        }
        let targets = (scaling.target_cpu_utilization_percentage, scaling.target_memory_utilization_percentage);
        if scaling.enabled && targets == (None, None) {
            self.refuse(
                "autoscaling.targetCPUUtilizationPercentage",
                "an autoscaler needs a target: set this or autoscaling.targetMemoryUtilizationPercentage",
            );
        }
        if is_zero(&values.rollout.max_surge) && is_zero(&values.rollout.max_unavailable) {
            self.refuse("rollout.maxSurge", "it and rollout.maxUnavailable are both 0: no pod could ever be replaced");
        }
    }

    fn routes(&mut self, values: &Values) {
        if values.ingress.enabled && values.ingress.hosts.is_empty() {
            self.refuse("ingress.hosts", "an Ingress needs at least one host with a path");
        }
        if values.http_route.enabled && values.http_route.parent_refs.is_empty() {
            self.refuse("httpRoute.parentRefs", "an HTTPRoute needs at least one Gateway to attach to");
        }
        if values.http_route.enabled && values.http_route.paths.is_empty() {
            self.refuse("httpRoute.paths", "an HTTPRoute needs at least one path");
        }
    }

    fn database(&mut self, values: &Values) {
        let database = &values.database;
        if database.is_sqlite() {
            if let Some(replicas @ 2..) = values.replicas {
                self.refuse("replicas", format!("{replicas} pods can't share an SQLite database: {SHARED}replicas=1"));
            }
            if values.autoscaling.enabled {
                let message = format!("pods can't share an SQLite database: {SHARED}autoscaling.enabled=false");
                self.refuse("autoscaling.enabled", message);
            }
        }
        let postgres = database.kind == Some(DatabaseKind::Postgres);
        if postgres && database.postgres.as_ref().is_none_or(|postgres| postgres.secret.is_none()) {
            self.refuse(
                "database.postgres.secret",
                "database.kind=postgres needs the Secret with the URL: set its name, such as database.postgres.secret=orders-database",
            );
        }
        if !matches!(database.kind, Some(DatabaseKind::Sqlite | DatabaseKind::Postgres)) {
            for (section, set) in [("sqlite", database.sqlite.is_some()), ("postgres", database.postgres.is_some())] {
                if set {
                    self.refuse(
                        format!("database.{section}"),
                        format!("it would have no effect: set database.kind={section}, or database.{section}=null"),
                    );
                }
            }
        }
        for name in DATABASE_VARIABLES.iter().filter(|name| database.kind.is_some() && values.env.contains_key(**name))
        {
            self.refuse(
                format!("env.{name}"),
                "database.kind says which database: set database.kind=postgres and a Secret, or database.kind=null to use env",
            );
        }
    }

    fn volumes(&mut self, values: &Values) {
        let tmp = values.tmp.size_limit.as_ref().map(|_| ("tmp.sizeLimit".to_owned(), "/tmp".to_owned()));
        let database = match values.database.kind {
            Some(DatabaseKind::Sqlite) => Some(SQLITE_FOLDER),
            Some(DatabaseKind::Postgres) => Some(POSTGRES_FOLDER),
            Some(DatabaseKind::None) | None => None,
        };
        let database = database.map(|folder| ("database.kind".to_owned(), folder.to_owned()));
        let own = if database.is_some() { &OWN_VOLUMES[..] } else { &OWN_VOLUMES[..1] };
        let mut mounted: Vec<(String, String)> = tmp.into_iter().chain(database).collect();
        for (name, volume) in &values.volumes {
            let path = format!("volumes.{name}");
            let sources =
                [volume.empty_dir.is_some(), volume.config_map.is_some(), volume.persistent_volume_claim.is_some()];
            if sources.iter().filter(|source| **source).count() != 1 {
                self.refuse(&path, "exactly one source is needed: emptyDir, configMap or persistentVolumeClaim");
            }
            self.volume_name(name, &path, own);
            mounted.push((path, volume.mount_path.0.clone()));
        }
        for (name, secret) in &values.secrets {
            let path = format!("secrets.{name}");
            if values.volumes.contains_key(name) {
                self.refuse(&path, format!("volumes.{name} has the same name: choose another"));
            }
            self.volume_name(name, &path, own);
            mounted.push((path, secret.mount_path.0.clone()));
        }
        for (at, (path, place)) in mounted.iter().enumerate() {
            if let Some((other, _)) = mounted[..at].iter().find(|(_, taken)| taken == place) {
                self.refuse(path, format!("{place} is where {other} is mounted too"));
            }
        }
    }

    fn volume_name(&mut self, name: &str, path: &str, own: &[&str]) {
        if own.contains(&name) {
            self.refuse(path, format!("the name `{name}` is taken by the chart: choose another"));
        }
        if let Err(error) = crate::names::label(name) {
            self.refuse(path, error.to_string());
        }
    }

    fn reserved(&mut self, values: &Values) {
        for name in OWN_VARIABLES.iter().filter(|name| values.env.contains_key(**name)) {
            self.refuse(
                format!("env.{name}"),
                "the chart sets this variable itself; telemetry.resourceAttributes adds attributes",
            );
        }
        let own = |key: &str| key.starts_with("app.kubernetes.io/") || key.starts_with("msctl.dev/");
        for key in values.pod_labels.keys().filter(|key| own(key)) {
            self.refuse(format!("podLabels.{key}"), "the chart sets labels of app.kubernetes.io and msctl.dev itself");
        }
        if values.pod_annotations.contains_key("checksum/config") {
            self.refuse("podAnnotations.checksum/config", "the chart sets this annotation itself");
        }
    }
}

fn is_zero(percent: &Percent) -> bool {
    match percent {
        Percent::Count(count) => *count == 0,
        Percent::Share(share) => share.trim_end_matches('%').parse() == Ok(0),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
