//! The environment of a replica: what a pod of the charts gets, with ports of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Context;
use super::probe::Addresses;
use crate::spec::ServiceSpec;

/// What ends a value in `OTEL_RESOURCE_ATTRIBUTES`, or would be decoded in it.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b',').add(b';').add(b'=').add(b'\\');

const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Over the environment of the supervisor. The user's own variables win over defaults, and not over what makes a replica
/// the one that it is.
pub(super) fn build(spec: &ServiceSpec, replica: &str, at: Addresses, context: &Context) -> BTreeMap<String, String> {
    let node = node();
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("OTEL_SERVICE_NAME", spec.name.clone());
    set("OTEL_EXPORTER_OTLP_ENDPOINT", context.telemetry.endpoint.clone());
    set("MSCTL_DATA", context.data.display().to_string());
    let proxy = format!("http://{}", context.net.proxy);
    // Programs differ in which they read.
    for name in ["HTTP_PROXY", "http_proxy"] {
        set(name, proxy.clone());
    }
    for name in ["NO_PROXY", "no_proxy"] {
        set(name, "127.0.0.1,localhost,::1".to_owned());
    }
    env.extend(spec.env.clone());
    // It wins over the other one, and must not be inherited from whoever ran `up`.
    if let Some(endpoint) = env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        && !env.contains_key(TRACES)
    {
        let http = !endpoint.is_empty() && env.get("OTEL_EXPORTER_OTLP_PROTOCOL").is_none_or(|name| name != "grpc");
        let endpoint = endpoint.trim_end_matches('/');
        let traces = if http { format!("{endpoint}/v1/traces") } else { endpoint.to_owned() };
        env.insert(TRACES.to_owned(), traces);
    }

    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    set("PORT", at.port.to_string());
    set("LISTEN_ADDR", format!("127.0.0.1:{}", at.port));
    if let Some(admin) = at.admin {
        set("ADMIN_PORT", admin.to_string());
        set("ADMIN_ADDR", format!("127.0.0.1:{admin}"));
    }
    for name in ["HOSTNAME", "POD_NAME"] {
        set(name, replica.to_owned());
    }
    set("POD_NAMESPACE", context.namespace.clone());
    set("NODE_NAME", node.clone());
    let mut attributes = String::new();
    let ours = [
        ("k8s.pod.name", replica),
        ("k8s.namespace.name", &context.namespace),
        ("k8s.node.name", &node),
        ("service.version", &spec.version),
        ("service.instance.id", replica),
    ];
    for (name, value) in ours {
        let comma = if attributes.is_empty() { "" } else { "," };
        // Writing to a String can't fail.
        let _ = write!(attributes, "{comma}{name}={}", utf8_percent_encode(value, RESERVED));
    }
    if let Some(more) = spec.env.get("OTEL_RESOURCE_ATTRIBUTES").filter(|more| !more.is_empty()) {
        let _ = write!(attributes, ",{more}");
    }
    set("OTEL_RESOURCE_ATTRIBUTES", attributes);
    env
}

/// This machine's name.
fn node() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
