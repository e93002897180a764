//! From values to Kubernetes objects, without a cluster.
//!
//! ```
//! use manifests::{Release, objects, values};
//!
//! let mut user = values::UserValues::default();
//! user.set(values::set::Kind::Typed, "replicas=3").unwrap();
//! let merged = values::merge(values::defaults("service-a").unwrap(), user.into_value());
//! let values = values::resolve(merged).unwrap();
//! let release = Release { name: "service-a", instance: "service-a", namespace: "shop", managed_by: "msctl" };
//! let objects = objects(&release, &values).unwrap();
//! assert!(objects.iter().any(|object| object.kind() == "Deployment"));
//! ```
//!
//! The charts' templates make the same objects from the same values; `tests/goldens.rs` holds the two together.

pub mod names;
mod objects;
mod release;
pub mod suggest;
pub mod values;

pub use objects::{HttpRoute, Object, objects};
pub use release::Release;

/// Name of the Service that has no address of its own: one DNS record a pod.
#[must_use]
pub fn headless_name(service: &str) -> String {
    format!("{service}-headless")
}

/// Name of the `ConfigMap` that holds the environment of a service.
#[must_use]
pub fn config_name(service: &str) -> String {
    service.to_owned()
}

/// Annotation of a Deployment that names its database where that limits what can be done with it: [`SQLITE`].
pub const DATABASE_ANNOTATION: &str = "msctl.dev/database";
/// The database is a file of one pod: more than one replica is refused.
pub const SQLITE: &str = "sqlite";

/// Annotation of an object that holds data, which Helm and msctl leave alone when all else of a service goes: [`KEEP`].
pub const POLICY_ANNOTATION: &str = "helm.sh/resource-policy";
/// The object stays until a person deletes it.
pub const KEEP: &str = "keep";

/// Name of the `PersistentVolumeClaim` that holds a service's `SQLite` database.
#[must_use]
pub fn database_claim_name(service: &str) -> String {
    format!("{service}-database")
}

/// Where the volume of an `SQLite` database is mounted.
pub(crate) const SQLITE_FOLDER: &str = "/var/lib/database";
/// Where the Secret with the URL of a Postgres database is mounted.
pub(crate) const POSTGRES_FOLDER: &str = "/run/secrets/database";
