//! The databases, which Helm alone makes: hardened as every pod here, closed but to their service, and left out for one that is elsewhere.

use serde_json::{Value, json};

use crate::Outcome;
use crate::binary::Helm;
use crate::rendered::template;
use crate::support::{NAMESPACE, charts, text};
use libtest_mimic::Trial;

const SERVICES: [&str; 2] = ["service-a", "service-b"];

pub(crate) fn trials(helm: Option<&Helm>) -> Vec<Trial> {
    vec![
        crate::trial("the_chart_is_clean::postgres", helm, lint),
        crate::trial("a_database_is_restricted_and_keeps_its_volume", helm, hardened),
        crate::trial("a_database_lets_in_its_own_service_and_nobody_else", helm, closed),
        crate::trial("an_empty_list_of_peers_lets_in_nobody", helm, nobody),
        crate::trial("a_service_is_told_the_secret_that_its_database_has", helm, connected),
        crate::trial("a_database_that_is_elsewhere_leaves_only_a_secrets_name", helm, elsewhere),
        crate::trial("a_database_without_a_secret_is_refused", helm, without_secret),
        crate::trial("a_database_refuses_an_unknown_key", helm, strict),
    ]
}

fn lint(helm: &Helm) -> Outcome {
    let chart = charts().join("postgres").display().to_string();
    let report = helm.run(&["lint", "--strict", &chart, "--set", "secret=x"])?;
    if report.contains("[WARNING]") || report.contains("[ERROR]") { Err(report.into()) } else { Ok(()) }
}

fn demo(helm: &Helm, set: &str) -> Result<Vec<Value>, String> {
    template(helm, "demo", &charts().join("demo"), &["--set", set])
}

fn alone(helm: &Helm, set: &str) -> Result<Vec<Value>, String> {
    template(helm, "db", &charts().join("postgres"), &["--set", set])
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value, String> {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.ok_or_else(|| format!("there is no {kind} {name}"))
}

fn same(what: &str, found: &Value, wanted: &Value) -> Outcome {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found}, wanted {wanted}").into()) }
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
fn hardened(helm: &Helm) -> Outcome {
    let objects = alone(helm, "secret=x")?;
    let set = find(&objects, "StatefulSet", "postgres")?;
    let spec = &set["spec"]["template"]["spec"];
    same("token", &spec["automountServiceAccountToken"], &json!(false))?;
    same("root", &spec["securityContext"]["runAsNonRoot"], &json!(true))?;
    same("user", &spec["securityContext"]["runAsUser"], &json!(999))?;
    same("seccomp", &spec["securityContext"]["seccompProfile"], &json!({"type": "RuntimeDefault"}))?;
    let context = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
    });
    same("container", &spec["containers"][0]["securityContext"], &context)?;
    same("replicas", &set["spec"]["replicas"], &json!(1))?;
    let retention = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    same("retention", &set["spec"]["persistentVolumeClaimRetentionPolicy"], &retention)?;
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        same(probe, &spec["containers"][0][probe]["exec"]["command"][0], &json!("pg_isready"))?;
    }
    for object in &objects {
        for label in ["name", "instance", "version", "component", "part-of", "managed-by"] {
            if text(object, &format!("/metadata/labels/app.kubernetes.io~1{label}")).is_empty() {
                return Err(format!("{} has no label {label}", object["kind"]).into());
            }
        }
        same("namespace", &object["metadata"]["namespace"], &json!(NAMESPACE))?;
    }
    Ok(())
}

fn closed(helm: &Helm) -> Outcome {
    let objects = demo(helm, "test.url=http://x")?;
    for service in SERVICES {
        let policy = find(&objects, "NetworkPolicy", &format!("{service}-postgres"))?;
        let peer = json!([{"podSelector": {"matchLabels": {"app.kubernetes.io/name": service}}}]);
        same(service, &policy["spec"]["ingress"][0]["from"], &peer)?;
        same(service, &policy["spec"]["policyTypes"], &json!(["Ingress", "Egress"]))?;
        same(service, &policy["spec"]["egress"], &Value::Null)?;
    }
    Ok(())
}

fn nobody(helm: &Helm) -> Outcome {
    let objects = alone(helm, "secret=x,networkPolicy.from=null")?;
    same("ingress", &find(&objects, "NetworkPolicy", "postgres")?["spec"]["ingress"], &Value::Null)
}

fn connected(helm: &Helm) -> Outcome {
    let objects = demo(helm, "test.url=http://x")?;
    for service in SERVICES {
        let database = format!("{service}-postgres");
        let secret = find(&objects, "Secret", &database)?;
        same(service, &secret["metadata"]["annotations"]["helm.sh/resource-policy"], &json!("keep"))?;
        let keys: Vec<&String> = secret["data"].as_object().into_iter().flatten().map(|(key, _)| key).collect();
        same(service, &json!(keys), &json!(["password", "url"]))?;
        let server = find(&objects, "StatefulSet", &database)?;
        same(service, &server["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"], &json!(database))?;
        let pod = &find(&objects, "Deployment", service)?["spec"]["template"]["spec"];
        let mounted = pod["volumes"].as_array().into_iter().flatten().find(|volume| volume["name"] == "database");
        same(service, &mounted.ok_or("there is no volume")?["secret"]["secretName"], &json!(database))?;
    }
    Ok(())
}

fn elsewhere(helm: &Helm) -> Outcome {
    let objects = demo(helm, "service-a-postgres.enabled=false,service-a.database.postgres.secret=mine")?;
    let of_it: Vec<String> = objects.iter().map(|object| text(object, "/metadata/name")).collect();
    if of_it.iter().any(|name| name.starts_with("service-a-postgres")) {
        return Err(format!("it is made all the same: {of_it:?}").into());
    }
    find(&objects, "StatefulSet", "service-b-postgres")?;
    let text = find(&objects, "Deployment", "service-a")?.to_string();
    if text.contains(r#""secretName":"mine""#) { Ok(()) } else { Err(text.into()) }
}

fn without_secret(helm: &Helm) -> Outcome {
    refused(alone(helm, "user=app"), "secret: it is missing")
}

fn strict(helm: &Helm) -> Outcome {
    refused(alone(helm, "secret=x,storage.sice=1Gi"), "sice")
}

fn refused(rendered: Result<Vec<Value>, String>, said: &str) -> Outcome {
    match rendered {
        Ok(_) => Err("it is rendered".into()),
        Err(message) if message.contains(said) => Ok(()),
        Err(message) => Err(format!("Helm does not say `{said}`:\n{message}").into()),
    }
}
