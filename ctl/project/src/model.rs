//! What a project is, once its msctl.yaml was read and found right.

use std::collections::BTreeMap;
use std::path::PathBuf;

use manifests::suggest::nearest;
use manifests::values::UserValues;
use serde_json::{Value, json};

use crate::problem::{Error, Problem};
use crate::run::Run;

/// Name of the environment that is built in: processes on this machine.
pub const LOCAL: &str = "local";

/// The services of a project, and the environments that they are deployed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The namespace of local mode, an RFC 1123 label; the folder's name when the file has none.
    pub name: String,
    /// The absolute path of its msctl.yaml.
    pub file: PathBuf,
    /// The folder of that file.
    pub folder: PathBuf,
    /// At least one, by name.
    pub services: BTreeMap<String, Service>,
    /// By name; [`LOCAL`] is never among them.
    pub environments: BTreeMap<String, Environment>,
    /// The environment of a command that names none: [`LOCAL`] or one of the others.
    pub default_environment: Option<String>,
}

/// A service of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: String,
    /// How it is started on this machine; none for a service that runs in clusters only.
    pub run: Option<Run>,
    /// Its working directory, absolute.
    pub folder: PathBuf,
    /// The image in clusters, as it was written: a name with its tag or digest.
    pub image: Option<String>,
    /// The short form of the value service.port.
    pub port: Option<u16>,
    /// Values for every environment, each over the ones before it.
    pub values: Vec<ValuesSource>,
    /// Values of local mode, over all others; an empty map when there are none.
    pub local: Value,
}

/// A map of values, and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuesSource {
    /// The file, absolute; none when they are written in msctl.yaml itself.
    pub file: Option<PathBuf>,
    /// A map; a null in it deletes a default.
    pub values: Value,
}

/// A cluster that a project is deployed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    pub name: String,
    /// The kubeconfig's context that it is pinned to.
    pub context: String,
    /// The context's own when unset.
    pub namespace: Option<String>,
    /// Values of every service in it, over the services' own.
    pub values: Vec<ValuesSource>,
    /// Where spans go: an OTLP endpoint, `http://…`.
    pub otlp: Option<String>,
    /// Where traces are read: the target of Jaeger's query API, `NAME[.NAMESPACE][:PORT]` or a URL.
    pub jaeger: Option<String>,
    /// What is wrong with its values. They count for whoever chooses it, and for nobody else.
    pub problems: Vec<Problem>,
}

/// What a command works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice<'a> {
    /// Neither the command nor the project names one: the kubeconfig's current context.
    None,
    /// Processes on this machine.
    Local,
    Cluster(&'a Environment),
}

/// A name that a project does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} has no {kind} `{name}`; it has {known}{}", meant(.near.as_ref()))]
pub struct Unknown {
    /// `service` or `environment`.
    pub kind: &'static str,
    pub name: String,
    /// The ones there are, separated by commas.
    pub known: String,
    /// The one that was probably meant.
    pub near: Option<String>,
    pub file: String,
}

/// Why an environment can't be worked on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub enum Refused {
    Unknown(#[from] Unknown),
    /// Its values are wrong.
    Broken(#[from] Error),
}

fn meant(near: Option<&String>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

impl Project {
    /// A service by its name.
    pub fn service(&self, name: &str) -> Result<&Service, Unknown> {
        self.services.get(name).ok_or_else(|| self.unknown("service", name, self.services.keys()))
    }

    /// The environment that a command names, else the project's default.
    pub fn environment(&self, name: Option<&str>) -> Result<Choice<'_>, Refused> {
        let Some(name) = name.or(self.default_environment.as_deref()) else { return Ok(Choice::None) };
        if name == LOCAL {
            return Ok(Choice::Local);
        }
        let local = LOCAL.to_owned();
        let known = self.environments.keys().chain([&local]);
        let found = self.environments.get(name).ok_or_else(|| self.unknown("environment", name, known))?;
        if found.problems.is_empty() {
            return Ok(Choice::Cluster(found));
        }
        Err(Error { file: self.file.clone(), problems: found.problems.clone() }.into())
    }

    fn unknown<'a>(&self, kind: &'static str, name: &str, known: impl Iterator<Item = &'a String>) -> Unknown {
        let known: Vec<&str> = known.map(String::as_str).collect();
        Unknown {
            kind,
            name: name.to_owned(),
            near: nearest(name, known.iter().copied()).map(str::to_owned),
            known: known.join(", "),
            file: self.file.display().to_string(),
        }
    }
}

impl Service {
    /// What the project says of the service in every environment, to be laid over its defaults: `values` in their order, then the
    /// short forms `image` and `port`.
    ///
    /// An environment's values come next ([`Environment::values`]), and in local mode [`Service::local`].
    #[must_use]
    pub fn user_values(&self) -> UserValues {
        let mut user = UserValues::default();
        for source in &self.values {
            user.overlay(source.values.clone());
        }
        user.overlay(self.short_forms());
        user
    }

    /// `image` and `port` as values.
    #[must_use]
    pub fn short_forms(&self) -> Value {
        let mut values = json!({});
        let image = self.image.as_deref().and_then(|image| image.parse::<manifests::values::ImageReference>().ok());
        if let Some(image) = image {
            values["image"] = json!({ "repository": image.repository, "tag": image.tag, "digest": image.digest });
        }
        if let Some(port) = self.port {
            values["service"] = json!({ "port": port });
        }
        values
    }
}
