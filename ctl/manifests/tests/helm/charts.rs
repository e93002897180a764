//! Lint, conditions and notes.

use manifests::values::bundled;

use crate::Outcome;
use crate::binary::{Folder, Helm};
use crate::support::{NAMESPACE, charts};
use libtest_mimic::Trial;

pub(crate) fn trials(helm: Option<&Helm>) -> Vec<Trial> {
    let lint = bundled()
        .chain(["demo"])
        .map(|chart| crate::trial(format!("the_chart_is_clean::{chart}"), helm, move |helm| lint(helm, chart)));
    let notes = bundled().chain(["demo"]).map(|chart| {
        crate::trial(format!("the_notes_say_what_to_run_next::{chart}"), helm, move |helm| notes(helm, chart))
    });
    let condition = crate::trial("the_umbrella_leaves_out_what_is_not_enabled", helm, conditions);
    let strict = crate::trial("the_umbrella_refuses_an_unknown_key_at_every_level", helm, umbrella_is_strict);
    lint.chain(notes).chain([condition, strict]).collect()
}

fn path(chart: &str) -> String {
    charts().join(chart).display().to_string()
}

fn lint(helm: &Helm, chart: &str) -> Outcome {
    let report = helm.run(&["lint", "--strict", &path(chart)])?;
    match report.lines().find(|line| line.starts_with("[WARNING]") || line.starts_with("[ERROR]")) {
        None => Ok(()),
        Some(line) => Err(line.to_owned().into()),
    }
}

fn notes(helm: &Helm, chart: &str) -> Outcome {
    let text = helm.run(&["install", chart, &path(chart), "-n", NAMESPACE, "--dry-run=client"])?;
    let notes = text.split("NOTES:").nth(1).ok_or("there are no notes")?;
    for wanted in ["kubectl -n shop", "msctl -n shop", "port-forward service/"] {
        if !notes.contains(wanted) {
            return Err(format!("the notes do not say `{wanted}`:{notes}").into());
        }
    }
    Ok(())
}

fn conditions(helm: &Helm) -> Outcome {
    for name in ["jaeger", "service-a", "service-b", "service-a-postgres", "service-b-postgres"] {
        let set = format!("{name}.enabled=false");
        let text = helm.run(&["template", "demo", &path("demo"), "--set", &set])?;
        if text.contains(&format!("# Source: demo/charts/{name}/")) {
            return Err(format!("{name} is rendered with {set}").into());
        }
    }
    let all = ["service-a", "service-b", "service-a-postgres", "service-b-postgres", "jaeger"];
    let all = all.map(|name| format!("{name}.enabled=false")).join(",");
    let nothing = helm.run(&["template", "demo", &path("demo"), "--set", &all])?;
    if nothing.contains("kind:") { Err(format!("something is rendered:\n{nothing}").into()) } else { Ok(()) }
}

fn umbrella_is_strict(helm: &Helm) -> Outcome {
    let folder = Folder::new();
    for (values, named) in [("jager: {}", "jager"), ("service-a: {replcias: 3}", "replcias")] {
        let file = folder.write("values.yaml", values).display().to_string();
        let Err(message) = helm.run(&["template", "demo", &path("demo"), "-f", &file]) else {
            return Err(format!("{values} is rendered").into());
        };
        if !message.contains(named) {
            return Err(format!("Helm does not name {named}:\n{message}").into());
        }
    }
    Ok(())
}
