//! Rendered templates = committed goldens, and what the charts refuse.

use manifests::values::{bundled, parse_yaml};
use serde_json::{Map, Value};

use crate::Outcome;
use crate::binary::{Folder, Helm, own_chart};
use crate::support::{self, Case, NAMESPACE, Refused, difference, golden, sorted};
use libtest_mimic::Trial;

pub(crate) fn trials(helm: Option<&Helm>) -> Vec<Trial> {
    let rendered = support::cases().into_iter().map(|case| {
        let name = format!("the_charts_render_the_golden_of::{}::{}", case.service, case.name);
        crate::trial(name, helm, move |helm| matches_golden(helm, &case))
    });
    let refused = support::refused().into_iter().map(|refused| {
        let name = format!("the_charts_refuse::{}", refused.name);
        crate::trial(name, helm, move |helm| is_refused(helm, &refused))
    });
    let umbrella = crate::trial("the_umbrella_renders_what_its_charts_render", helm, umbrella_is_its_charts);
    let packaged = crate::trial("a_packaged_chart_renders_the_same", helm, packaged_renders_the_same);
    rendered.chain(refused).chain([umbrella, packaged]).collect()
}

/// What the chart of a service renders for a file of values.
fn render(helm: &Helm, service: &str, values: &std::path::Path) -> Result<Vec<Value>, String> {
    let own = Folder::new();
    let chart = if bundled().any(|name| name == service) {
        support::charts().join(service)
    } else {
        own_chart(&own, service, &support::charts());
        own.path().join(service)
    };
    template(helm, service, &chart, &["-f", &values.display().to_string()])
}

pub(crate) fn template(
    helm: &Helm,
    release: &str,
    chart: &std::path::Path,
    more: &[&str],
) -> Result<Vec<Value>, String> {
    let chart = chart.display().to_string();
    let text = helm.run(&[&["template", release, &chart, "-n", NAMESPACE], more].concat())?;
    let documents = text.split("\n---\n").map(|document| parse_yaml(document, "helm template"));
    let objects: Result<Vec<Value>, _> = documents.collect();
    let objects = objects.map_err(|error| error.to_string())?;
    Ok(sorted(objects.into_iter().filter(|object| object.as_object().is_some_and(|map| !map.is_empty())).collect()))
}

fn matches_golden(helm: &Helm, case: &Case) -> Outcome {
    let rendered = render(helm, &case.service, &case.values)?;
    if support::updates() {
        std::fs::create_dir_all(case.golden.parent().unwrap())?;
        std::fs::write(&case.golden, pretty(&Value::Array(rendered)))?;
        return Ok(());
    }
    match difference(&rendered, &golden(case)) {
        None => Ok(()),
        Some(difference) => Err(format!("the chart here, the golden there: {difference}").into()),
    }
}

fn is_refused(helm: &Helm, refused: &Refused) -> Outcome {
    let Err(message) = render(helm, &refused.service, &refused.values) else {
        return Err("the chart renders them".into());
    };
    let mut parts = refused.said("helm");
    if parts.is_empty() {
        parts = refused.said("refused");
    }
    match parts.iter().find(|part| !message.contains(part.as_str())) {
        None => Ok(()),
        Some(part) => Err(format!("Helm does not say `{part}`:\n{message}").into()),
    }
}

/// Whatever the release is called.
fn umbrella_is_its_charts(helm: &Helm) -> Outcome {
    let folder = Folder::new();
    let of = |service: &str| {
        let database = format!("{{kind: postgres, postgres: {{secret: {service}-postgres}}}}");
        let text = format!("telemetry: {{endpoint: \"http://jaeger:4318\"}}\ndatabase: {database}\n");
        folder.write(&format!("{service}.yaml"), &text)
    };
    let nothing = folder.write("nothing.yaml", "{}\n");
    let mut apart = Vec::new();
    for (service, values) in [("service-a", of("service-a")), ("service-b", of("service-b")), ("jaeger", nothing)] {
        apart.extend(render(helm, service, &values)?);
    }
    let mut together = template(helm, "demo", &support::charts().join("demo"), &[])?;
    // The databases are the umbrella's alone.
    together.retain(|object| {
        let name = support::text(object, "/metadata/name");
        name != "demo-test" && !name.contains("-postgres")
    });
    let (together, apart) = (support::comparable(together), support::comparable(sorted(apart)));
    match difference(&together, &apart) {
        None => Ok(()),
        Some(difference) => Err(format!("the umbrella here, its charts there: {difference}").into()),
    }
}

/// Packaging follows the symbolic links.
fn packaged_renders_the_same(helm: &Helm) -> Outcome {
    let folder = Folder::new();
    let destination = folder.path().display().to_string();
    for chart in ["service-a", "demo"] {
        let source = support::charts().join(chart);
        helm.run(&["package", &source.display().to_string(), "--destination", &destination])?;
        let package = folder.path().join(format!("{chart}-{}.tgz", env!("CARGO_PKG_VERSION")));
        let (mut packed, mut loose) = (template(helm, chart, &package, &[])?, template(helm, chart, &source, &[])?);
        for objects in [&mut packed, &mut loose] {
            // Passwords differ every time.
            objects.retain(|object| object["kind"] != "Secret");
        }
        if let Some(difference) = difference(&packed, &loose) {
            return Err(format!("the package of {chart} here, the folder there: {difference}").into());
        }
    }
    Ok(())
}

/// JSON with the keys in order, so that a file does not depend on who wrote it.
fn pretty(value: &Value) -> String {
    fn ordered(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
                Value::Object(sorted.into_iter().map(|(k, v)| (k.clone(), ordered(v))).collect::<Map<_, _>>())
            }
            Value::Array(items) => Value::Array(items.iter().map(ordered).collect()),
            other => other.clone(),
        }
    }
    format!("{}\n", serde_json::to_string_pretty(&ordered(value)).unwrap())
}
