//! What holds for every object of every case, whatever the values say.

use std::collections::BTreeSet;
use std::path::PathBuf;

use regex::Regex;
use serde_json::{Value, json};

use crate::support::{cases, golden, text};
use crate::typed::{is_hook, user_values};

/// Every object of every golden, with its case.
fn everything() -> impl Iterator<Item = (String, Value)> {
    cases().into_iter().flat_map(|case| {
        golden(&case).into_iter().map(move |object| {
            let name = format!(
                "{}/{} {}/{}",
                case.service,
                case.name,
                text(&object, "/kind"),
                text(&object, "/metadata/name")
            );
            (name, object)
        })
    })
}

/// The pods: of Deployments, and of `helm test`.
fn pods() -> impl Iterator<Item = (String, Value)> {
    everything().filter_map(|(name, object)| match object["kind"].as_str() {
        Some("Deployment") => Some((name, object["spec"]["template"].clone())),
        Some("Pod") => Some((name, object)),
        _ => None,
    })
}

#[test]
fn every_object_has_the_recommended_labels() {
    for (name, object) in everything() {
        for label in ["name", "instance", "component", "part-of", "managed-by"] {
            let value = text(&object, &format!("/metadata/labels/app.kubernetes.io~1{label}"));
            assert!(!value.is_empty(), "{name}: {label}");
        }
        let version = text(&object, "/metadata/labels/app.kubernetes.io~1version");
        assert!(is_hook(&object) || !version.is_empty(), "{name}: version");
    }
}

#[test]
fn what_changes_with_every_version_never_enters_a_pod_template() {
    for (name, object) in everything().filter(|(_, object)| object["kind"] == "Deployment") {
        let labels = object["spec"]["template"]["metadata"]["labels"].as_object().unwrap();
        for label in
            ["app.kubernetes.io/version", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"]
        {
            assert!(!labels.contains_key(label), "{name}: {label}");
        }
        let selector = object["spec"]["selector"]["matchLabels"].as_object().unwrap();
        let keys: Vec<&str> = selector.keys().map(String::as_str).collect();
        assert_eq!(keys, ["app.kubernetes.io/name", "msctl.dev/track"], "{name}");
    }
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
#[test]
fn every_pod_is_restricted() {
    for (name, pod) in pods() {
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_ne!(spec["securityContext"]["runAsUser"], 0, "{name}");
        assert_eq!(spec["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}), "{name}");
        for key in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"] {
            assert!(spec[key].is_null(), "{name}: {key}");
        }
        for container in spec["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{name}");
            assert!(context["privileged"].is_null(), "{name}");
        }
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            let allowed = ["emptyDir", "configMap", "secret", "persistentVolumeClaim", "name"];
            assert!(volume.as_object().unwrap().keys().all(|key| allowed.contains(&key.as_str())), "{name}: {volume}");
        }
    }
}

/// What a service may take from the end of its drain to its exit, in seconds, as its runtime has it.
fn longest_exit() -> f64 {
    let source = |file: &str| {
        let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
            .join("../../services/runtime/src")
            .join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let seconds = |source: &str, name: &str| {
        let constant = format!(r"(?m)^const {name}: Duration = Duration::from_(secs|millis)\((\d+)\);$");
        let found = Regex::new(&constant).unwrap().captures(source).unwrap_or_else(|| panic!("{name} is not there"));
        let number: f64 = found[2].parse().unwrap();
        if &found[1] == "secs" { number } else { number / 1000.0 }
    };
    let (serve, launch) = (source("serve.rs"), source("launch.rs"));
    // One port after the other.
    let ports = u32::try_from(serve.matches(".close().await").count()).unwrap();
    f64::from(ports) * seconds(&serve, "LAST") + seconds(&launch, "STOP") + seconds(&launch, "FLUSH")
}

#[test]
fn a_pod_is_killed_only_after_its_drain_and_all_that_its_service_does_after_it() {
    const SPARE: f64 = 2.0;
    let needed = longest_exit() + SPARE;
    let mut margins = BTreeSet::new();
    for case in cases() {
        let user = user_values(&case.values);
        let merged = manifests::values::merge(manifests::values::defaults(&case.service).unwrap(), user);
        let drain = manifests::values::resolve(merged).unwrap().drain;
        let deployment = golden(&case).into_iter().find(|object| object["kind"] == "Deployment").unwrap();
        let grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap();
        margins.insert(grace - drain.delay_seconds - drain.timeout_seconds);
    }
    let [margin] = Vec::from_iter(margins)[..] else { panic!("not the same for every case") };
    assert!(f64::from(i32::try_from(margin).unwrap()) >= needed, "{margin} s, and {needed} s are needed");

    // The goldens are msctl's as well; the charts' own number is compared without Helm too.
    let template = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .join("../../charts/microservice/templates/_pod.tpl");
    let template = std::fs::read_to_string(template).unwrap();
    assert!(template.contains(&format!("(int64 .Values.drain.timeoutSeconds) {margin} }}}}")), "{template}");
}

#[test]
fn msctls_relay_and_the_test_pods_are_let_in_whatever_the_policy() {
    for (name, policy) in everything().filter(|(_, object)| object["kind"] == "NetworkPolicy") {
        let expression = &policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0];
        assert_eq!(expression["key"], "app.kubernetes.io/name", "{name}");
        assert_eq!(expression["values"], json!(["msctl-relay", "msctl-test"]), "{name}");
    }
    for (name, pod) in everything().filter(|(_, object)| is_hook(object)) {
        assert_eq!(text(&pod, "/metadata/labels/app.kubernetes.io~1name"), "msctl-test", "{name}");
    }
}

#[test]
fn services_and_their_policies_meet_the_pods_labels() {
    for case in cases() {
        let objects = golden(&case);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let selectors = objects.iter().filter_map(|object| {
            let pointers = ["/spec/podSelector/matchLabels", "/spec/selector/matchLabels"];
            let of_service = (object["kind"] == "Service").then(|| &object["spec"]["selector"]);
            of_service.or_else(|| pointers.iter().find_map(|pointer| object.pointer(pointer)))
        });
        for selector in selectors {
            for (key, value) in selector.as_object().unwrap() {
                assert_eq!(labels[key], *value, "{}: {key}", case.name);
            }
        }
    }
}

/// Atomic maps and lists have one owner: were the server to fill in a default, whoever applied the objects first would own another
/// value than msctl's or the chart's, and everybody after would be refused.
#[test]
fn what_the_server_would_add_to_an_atomic_map_or_list_is_written() {
    let defaults = [
        ("fieldRef", &["apiVersion"][..]),
        ("resourceFieldRef", &["divisor"]),
        ("parentRefs", &["group", "kind"]),
        ("backendRefs", &["group", "kind", "weight"]),
    ];
    let mut found = BTreeSet::new();
    for (name, object) in everything() {
        // Of these, only a NetworkPolicy's ports are in a list without keys.
        let ports = if object["kind"] == "NetworkPolicy" { &[("ports", &["protocol"][..])][..] } else { &[] };
        for (key, fields) in defaults.iter().chain(ports) {
            for value in at_any_depth(&object, key) {
                found.insert(*key);
                let missing: Vec<_> = fields.iter().filter(|field| value[**field].is_null()).collect();
                assert!(missing.is_empty(), "{name}: {key} without {missing:?}");
            }
        }
    }
    assert_eq!(Vec::from_iter(found), ["backendRefs", "fieldRef", "parentRefs", "ports"]);
}

/// Every value of a key, and for a list its items.
fn at_any_depth<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value {
                Value::Array(items) if name == key => items.iter().collect(),
                value if name == key => vec![value],
                value => at_any_depth(value, key),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| at_any_depth(item, key)).collect(),
        _ => Vec::new(),
    }
}
