//! What the project says of a service, below the command line's own files and flags.

use ::local::state::FOLDER;
use manifests::values::{UserValues, bundled};
use project::{Environment, Project, Service, ValuesSource};
use serde_json::{Value, json};

use crate::error::Error;

/// The values of msctl.yaml, for one of its environments.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Layers<'a> {
    /// There is no project.
    #[default]
    None,
    Cluster {
        project: &'a Project,
        environment: Option<&'a Environment>,
    },
    Local {
        project: &'a Project,
    },
}

/// Sections of values that mean something to a process of this machine.
const LOCAL: [&str; 11] =
    ["admin", "component", "database", "drain", "env", "image", "partOf", "probes", "replicas", "service", "telemetry"];

impl Layers<'_> {
    /// The service's own values, then those of the environment, each with the file that they are in.
    pub(super) fn of(self, service: &str) -> Result<Vec<(String, Value)>, Error> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Cluster { project, environment } => {
                // A service that the project does not name can be deployed all the same.
                let mut values = project.service(service).map(|service| own(project, service)).unwrap_or_default();
                if let Some(environment) = environment {
                    if let Some(endpoint) = &environment.otlp {
                        let endpoint = json!({ "telemetry": { "endpoint": endpoint } });
                        values.push((project.file.display().to_string(), endpoint));
                    }
                    values.extend(sources(project, &environment.values));
                }
                Ok(values)
            }
            Self::Local { project } => {
                let found = project.service(service).map_err(|cause| {
                    Error::usage(format!("cannot run {service} on this machine"))
                        .why(cause.to_string())
                        .place(project.file.display().to_string())
                        .next(format!("msctl.yaml: services.{service} with its `run` and `port`"))
                })?;
                let file = project.file.display().to_string();
                let mut values = Vec::new();
                if !bundled().any(|name| name == service) {
                    // A process has no image; the version of one that has none is this.
                    let image = json!({ "repository": format!("localhost/{service}"), "tag": "local" });
                    values.push((file.clone(), json!({ "image": image })));
                }
                values.extend(own(project, found));
                if let Some(key) = without_meaning(&found.local) {
                    return Err(Error::usage(format!("cannot run {service} on this machine"))
                        .why(format!("services.{service}.local.{key}: it has no meaning for a process of this machine"))
                        .place(project.file.display().to_string())
                        .next(format!("msctl.yaml: move it to services.{service}.values, where clusters read it")));
                }
                values.push((file, found.local.clone()));
                Ok(values)
            }
        }
    }

    /// What to run when values are not as they should be.
    pub(super) fn corrected(self, service: &str) -> String {
        match self {
            Self::Local { .. } => format!("correct it; msctl deploy {service} --local --dry-run=client checks it"),
            _ => "correct it; with --dry-run=client it is checked, and nothing changes".to_owned(),
        }
    }

    /// What of merged values has another meaning here.
    pub(super) fn adapt(self, service: &str, mut values: Value) -> Result<Value, Error> {
        let Self::Local { project } = self else { return Ok(values) };
        let own = values.pointer("/env/DATABASE_URL").is_some_and(|url| !url.is_null());
        let kind = values.pointer("/database/kind").and_then(Value::as_str).map(str::to_owned);
        let url = match kind.as_deref() {
            Some("none") => Some("none".to_owned()),
            // Replicas are on one host, and may share it. Absolute: a service's own folder may be another.
            Some("sqlite") => {
                let data = project.folder.join(FOLDER).join("data");
                Some(format!("sqlite://{}/{service}.sqlite3", data.display()))
            }
            Some("postgres") if !own => {
                return Err(Error::usage(format!("cannot run {service} on this machine"))
                    .why("database.kind=postgres: its URL is in a Secret of the cluster")
                    .place(project.file.display().to_string())
                    .next(format!(
                        "msctl.yaml: services.{service}.local.env.DATABASE_URL says which database is used here"
                    )));
            }
            _ => None,
        };
        values["database"] = json!({});
        if let Some(url) = url.filter(|_| !own) {
            values["env"]["DATABASE_URL"] = json!(url);
        }
        // An autoscaler has nothing to measure here.
        values["autoscaling"]["enabled"] = json!(false);
        Ok(values)
    }

    pub(super) fn check_flags(self, said: &UserValues) -> Result<(), Error> {
        let Self::Local { .. } = self else { return Ok(()) };
        match without_meaning(&said.clone().into_value()) {
            Some(key) => Err(Error::usage(format!("`{key}` has no meaning for a process of this machine"))
                .why(format!("what counts here is {}", LOCAL.join(", ")))
                .next("leave it out, or deploy to a cluster: msctl deploy SERVICE -e NAME")),
            None => Ok(()),
        }
    }
}

/// What the project says of a service, wherever it runs.
fn own(project: &Project, service: &Service) -> Vec<(String, Value)> {
    let short = (project.file.display().to_string(), service.short_forms());
    sources(project, &service.values).chain([short]).collect()
}

/// With their files.
fn sources<'a>(project: &'a Project, values: &'a [ValuesSource]) -> impl Iterator<Item = (String, Value)> + use<'a> {
    let file = |source: &ValuesSource| source.file.as_ref().unwrap_or(&project.file).display().to_string();
    values.iter().map(move |source| (file(source), source.values.clone()))
}

/// The first section that a process of this machine can do nothing with.
fn without_meaning(values: &Value) -> Option<String> {
    values.as_object()?.keys().find(|key| !LOCAL.contains(&key.as_str())).cloned()
}
