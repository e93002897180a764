//! Every call is a trace: from msctl through A to B, checked in Jaeger's own answer.

use e2e::jaeger::{Span, is_whole, path, spans};
use e2e::scenario::project;
use e2e::{Scenario, eventually};

const CALLS: usize = 200;

#[test]
fn two_hundred_calls_are_two_hundred_whole_trees() {
    let scenario = Scenario::new("trace");
    scenario.helm(&["install", "demo", &project("charts/demo"), "--wait", "--timeout", "3m"]).ok();
    // kube-proxy programs a new Service up to a second after its pods are ready.
    eventually("the hop from A to B", || {
        let run = scenario.msctl(&["call", "service-a/service-b"]);
        if run.code == Some(0) { Ok(()) } else { Err(run.to_string()) }
    });
    let traces: Vec<String> = (0..CALLS).map(|_| call_traced(&scenario)).collect();
    for trace in &traces {
        let spans = eventually("a whole tree in Jaeger", || {
            let spans = spans(&scenario, trace)?;
            let has_b = spans.iter().any(|span| span.service == "service-b");
            if is_whole(&spans) && has_b { Ok(spans) } else { Err(format!("{spans:#?}")) }
        });
        let b = spans.iter().find(|span| span.service == "service-b").expect("a span of service-b");
        assert_eq!(path(&spans, b), ["msctl", "service-a", "service-b"], "{spans:#?}");
        for span in spans.iter().filter(|span| span.service != "msctl") {
            names_its_pod(span);
        }
    }
}

/// Calls A -> B and gives the id of the trace that msctl printed the tree of.
fn call_traced(scenario: &Scenario) -> String {
    let run = scenario.msctl(&["call", "service-a/service-b", "--trace"]).ok();
    assert!(run.stdout.starts_with("Hello, ServiceB!"), "{run}");
    let printed = format!("{}{}", run.stdout, run.stderr);
    let at = |name: &str| printed.find(name).unwrap_or_else(|| panic!("no {name} in the tree\n{run}"));
    assert!(at("msctl") < at("service-a") && at("service-a") < at("service-b"), "{run}");
    let is_trace_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = printed.split(|c: char| !c.is_ascii_alphanumeric()).find(is_trace_id);
    id.unwrap_or_else(|| panic!("no trace id\n{run}")).to_owned()
}

fn names_its_pod(span: &Span) {
    for key in ["k8s.pod.name", "k8s.node.name", "service.version"] {
        let value = span.resource.get(key).map_or("", String::as_str);
        assert!(!value.is_empty(), "{key} is missing in {span:?}");
    }
    assert!(span.resource["k8s.pod.name"].starts_with(&span.service), "{span:?}");
}
