//! The charts' defaults, bundled: the library chart's for every service, and what service-a, service-b and jaeger change.

use serde_json::Value;

use super::{YamlError, merge, parse_yaml};

const LIBRARY: &str = include_str!("../../../../charts/microservice/values.yaml");
const CHARTS: [(&str, &str); 3] = [
    ("service-a", include_str!("../../../../charts/service-a/values.yaml")),
    ("service-b", include_str!("../../../../charts/service-b/values.yaml")),
    ("jaeger", include_str!("../../../../charts/jaeger/values.yaml")),
];

/// The services that come with a chart.
pub fn bundled() -> impl Iterator<Item = &'static str> {
    CHARTS.iter().map(|(name, _)| *name)
}

/// The defaults of a service: its chart's over the library's; for a service without a chart, the library's.
///
/// The charts are part of the program, so this fails only when the program was built from a broken chart, which a test rules out.
pub fn defaults(service: &str) -> Result<Value, YamlError> {
    let mut library = parse_yaml(LIBRARY, "charts/microservice/values.yaml")?;
    // Helm's `import-values` takes what the library exports.
    let base = library.pointer_mut("/exports/defaults").map(Value::take).unwrap_or_default();
    match CHARTS.iter().find(|(name, _)| *name == service) {
        Some((name, text)) => Ok(merge(base, parse_yaml(text, &format!("charts/{name}/values.yaml"))?)),
        None => Ok(base),
    }
}
