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
