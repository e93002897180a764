//! What the project says of a service, below the command line's own files and flags.

use ::local::state::FOLDER;
use manifests::values::{UserValues, bundled};
use project::{Environment, Project};
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
    pub(super) fn project(&self) -> Option<&Project> {
        match self {
            Self::None => None,
            Self::Cluster { project, .. } | Self::Local { project } => Some(project),
        }
    }

    /// The service's own values, then those of the environment.
    pub(super) fn of(self, service: &str) -> Result<UserValues, Error> {
        match self {
            Self::None => Ok(UserValues::default()),
            Self::Cluster { project, environment } => {
                // A service that the project does not name can be deployed all the same.
                let mut values = project.service(service).map(project::Service::user_values).unwrap_or_default();
                if let Some(environment) = environment {
                    if let Some(endpoint) = &environment.otlp {
                        values.overlay(json!({ "telemetry": { "endpoint": endpoint } }));
                    }
                    for source in &environment.values {
                        values.overlay(source.values.clone());
                    }
                }
                Ok(values)
            }
            Self::Local { project } => {
                let found = project.service(service).map_err(|cause| {
                    Error::usage(format!("cannot run {service} on this machine"))
                        .why(cause.to_string())
                        .next(format!("msctl.yaml: services.{service} with its `run` and `port`"))
                })?;
                let mut values = UserValues::default();
                if !bundled().any(|name| name == service) {
                    // A process has no image; the version of one that has none is this.
                    values
                        .overlay(json!({ "image": { "repository": format!("localhost/{service}"), "tag": "local" } }));
                }
                values.overlay(found.user_values().into_value());
                if let Some(key) = without_meaning(&found.local) {
                    return Err(Error::usage(format!("cannot run {service} on this machine"))
                        .why(format!("services.{service}.local.{key}: it has no meaning for a process of this machine"))
                        .next(format!("msctl.yaml: move it to services.{service}.values, where clusters read it")));
                }
                values.overlay(found.local.clone());
                Ok(values)
            }
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

/// The first section that a process of this machine can do nothing with.
fn without_meaning(values: &Value) -> Option<String> {
    values.as_object()?.keys().find(|key| !LOCAL.contains(&key.as_str())).cloned()
}
