//! What README says of rights: Kubernetes' own roles are enough.

use e2e::exit::FORBIDDEN;
use e2e::{Run, Scenario, eventually};

/// Gives `user` a role in the scenario's namespace.
fn bind(scenario: &Scenario, user: &str, role: &str) {
    scenario
        .kubectl(&["create", "rolebinding", user, &format!("--clusterrole={role}"), &format!("--user={user}")])
        .ok();
    // The API server hears of it a moment later.
    eventually("the role to be heard of", || {
        let run = scenario.kubectl(&["auth", "can-i", "list", "pods", "--as", user]);
        if run.code == Some(0) { Ok(()) } else { Err(run.to_string()) }
    });
}

fn msctl(scenario: &Scenario, user: &str, args: &[&str]) -> Run {
    scenario.msctl(&[args, &["--as", user]].concat())
}

#[test]
fn edit_is_enough_for_every_verb_and_view_for_looking() {
    let scenario = Scenario::new("rights");
    bind(&scenario, "ann", "edit");
    bind(&scenario, "eve", "view");
    let endpoint = "telemetry.endpoint=http://jaeger:4318";
    for verb in [
        &["deploy", "service-a", "service-b", "jaeger", "--set", endpoint][..],
        &["scale", "service-a", "--replicas", "3"],
        &["call", "service-a/service-b", "--trace"],
        &["trace", "service-a"],
        &["status"],
        &["logs", "service-a"],
        &["deploy", "service-a", "--set", endpoint, "--replicas", "2"],
    ] {
        msctl(&scenario, "ann", verb).ok();
    }
    for verb in [&["status"][..], &["logs", "service-a"]] {
        msctl(&scenario, "eve", verb).ok();
    }
    let refused = msctl(&scenario, "eve", &["scale", "service-a", "--replicas", "1"]);
    refused.code_is(FORBIDDEN).says(&["eve", "next: ", "clusterrole=edit"]);
    msctl(&scenario, "ann", &["delete", "service-a", "service-b", "jaeger"]).ok();
}
