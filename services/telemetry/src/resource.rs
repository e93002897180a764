//! What every span says about the process that made it.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{ResourceDetector, TelemetryResourceDetector};
use opentelemetry_semantic_conventions::attribute::{HOST_NAME, PROCESS_PID, SERVICE_NAME, SERVICE_VERSION};

use crate::{Identity, Settings};

/// Later entries win: what we find out, who we are, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`.
pub(crate) fn resource(identity: Identity, settings: &Settings) -> Resource {
    let host = host_name().map(|name| KeyValue::new(HOST_NAME, name));
    let configured = settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let service_name = settings.service_name.iter().map(|name| KeyValue::new(SERVICE_NAME, name.clone()));
    Resource::builder_empty()
        .with_attributes(
            TelemetryResourceDetector.detect().iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())),
        )
        .with_attributes(host)
        .with_attributes([
            KeyValue::new(PROCESS_PID, i64::from(std::process::id())),
            KeyValue::new(SERVICE_NAME, identity.service_name),
            KeyValue::new(SERVICE_VERSION, identity.service_version),
        ])
        .with_attributes(configured)
        .with_attributes(service_name)
        .build()
}

/// In a pod this is the pod's name.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use opentelemetry::Key;

    use super::*;

    fn value(resource: &Resource, key: &'static str) -> Option<String> {
        resource.get(&Key::new(key)).map(|value| value.to_string())
    }

    #[test]
    fn the_environment_overrides_who_we_are() {
        let identity = Identity { service_name: "service-a", service_version: "0.1.0" };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let settings = Settings {
            service_name: Some("renamed".to_owned()),
            resource: vec![pair("service.name", "ignored"), pair("service.version", "9"), pair("k8s.pod.name", "a-1")],
            ..Settings::default()
        };

        let resource = resource(identity, &settings);

        assert_eq!(value(&resource, "service.name").as_deref(), Some("renamed"));
        assert_eq!(value(&resource, "service.version").as_deref(), Some("9"));
        assert_eq!(value(&resource, "k8s.pod.name").as_deref(), Some("a-1"));
        assert_eq!(value(&resource, "telemetry.sdk.language").as_deref(), Some("rust"));
        assert!(value(&resource, "process.pid").is_some());
    }
}
