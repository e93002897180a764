//! An object of any kind that is made here.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource};
use serde_json::Value;

use super::HttpRoute;

/// Expands to the enum and everything that has one arm a kind, so that a kind is listed once.
macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// An object of any kind that is made here.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Object {
            $(#[doc = concat!("A ", stringify!($kind), ".")] $kind(Box<$kind>),)+
        }

        impl Object {
            /// Its kind, such as `Deployment`.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => <$kind as Resource>::KIND,)+ }
            }

            /// Its API version, such as `apps/v1`.
            #[must_use]
            pub fn api_version(&self) -> &'static str {
                match self { $(Self::$kind(_) => <$kind as Resource>::API_VERSION,)+ }
            }

            /// Its kind's plural in URLs, such as `deployments`.
            #[must_use]
            pub fn plural(&self) -> &'static str {
                match self { $(Self::$kind(_) => <$kind as Resource>::URL_PATH_SEGMENT,)+ }
            }

            /// Its metadata.
            #[must_use]
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => object.metadata(),)+ }
            }

            fn serialize(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$kind(object) => serde_json::to_value(object),)+ }
            }
        }

        $(
            impl From<$kind> for Object {
                fn from(object: $kind) -> Self {
                    Self::$kind(Box::new(object))
                }
            }
        )+
    };
}

kinds!(
    ServiceAccount,
    NetworkPolicy,
    Service,
    ConfigMap,
    PersistentVolumeClaim,
    Deployment,
    PodDisruptionBudget,
    HorizontalPodAutoscaler,
    Ingress,
    HttpRoute,
);

impl Object {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or_default()
    }

    /// As JSON, with kind and API version, without nulls: the body of a server-side apply.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = self.serialize().unwrap_or_default();
        strip_nulls(&mut value);
        value
    }

    /// The number of pods that a Deployment asks for.
    #[must_use]
    pub fn replicas(&self) -> Option<i32> {
        match self {
            Self::Deployment(deployment) => deployment.spec.as_ref().and_then(|spec| spec.replicas),
            _ => None,
        }
    }

    /// The object without `spec.replicas`, so that an apply leaves them to whoever set them last.
    #[must_use]
    pub fn without_replicas(mut self) -> Self {
        if let Self::Deployment(deployment) = &mut self
            && let Some(spec) = &mut deployment.spec
        {
            spec.replicas = None;
        }
        self
    }
}

/// Removes every null of a map, at any depth.
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
