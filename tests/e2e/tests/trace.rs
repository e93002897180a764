//! Every call is a trace: from msctl through A to B, checked in the answer of Jaeger, or of the receiver in `msctl up`.

use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::jaeger::{Span, is_whole, path, printed_id, spans};
use e2e::scenario::project;
use e2e::{Run, Scenario, World, eventually, in_both};

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
        from_msctl_through_a_to_b(&spans);
    }
}

/// Calls A -> B and gives the id of the trace that msctl printed the tree of.
fn call_traced(scenario: &Scenario) -> String {
    printed_tree(scenario.msctl(&["call", "service-a/service-b", "--trace"]))
}

#[track_caller]
fn printed_tree(run: Run) -> String {
    let run = run.ok();
    assert!(run.stdout.starts_with("Hello, ServiceB!"), "{run}");
    let printed = format!("{}{}", run.stdout, run.stderr);
    let at = |name: &str| printed.find(name).unwrap_or_else(|| panic!("no {name} in the tree\n{run}"));
    assert!(at("msctl") < at("service-a") && at("service-a") < at("service-b"), "{run}");
    printed_id(&run)
}

#[track_caller]
fn from_msctl_through_a_to_b(spans: &[Span]) {
    let b = spans.iter().find(|span| span.service == "service-b").expect("a span of service-b");
    assert_eq!(path(spans, b), ["msctl", "service-a", "service-b"], "{spans:#?}");
    for span in spans.iter().filter(|span| span.service != "msctl") {
        names_its_pod(span);
    }
}

fn names_its_pod(span: &Span) {
    for key in ["k8s.pod.name", "k8s.node.name", "service.version"] {
        let value = span.resource.get(key).map_or("", String::as_str);
        assert!(!value.is_empty(), "{key} is missing in {span:?}");
    }
    assert!(span.resource["k8s.pod.name"].starts_with(&span.service), "{span:?}");
}

fn a_call_is_one_tree_by_every_name(world: &World) {
    world.start(1);
    let trace = printed_tree(world.msctl(&["call", "service-a/service-b", "--trace"]));
    from_msctl_through_a_to_b(&world.whole_tree(&trace, |span| span.service == "service-b"));

    let report = world.msctl(&["trace", &trace, "-o", "json"]).ok();
    assert!(report.stdout.contains(&trace) && report.stdout.contains("service-b"), "{report}");
    let latest = world.msctl(&["trace", "service-b", "-o", "name"]).ok();
    assert_eq!(latest.stdout.trim(), trace, "{latest}");

    for name in ["service-b".to_owned(), format!("service-b.{}", world.namespace())] {
        world.msctl(&["call", &name]).ok().prints("Hello, ServiceB!");
    }
    let port = world.address("service-b").port();
    let full = format!("http://service-b.{}.svc.cluster.local:{port}/", world.namespace());
    world.msctl(&["call", &full]).ok().prints("Hello, ServiceB!");
}

in_both!(a_call_is_one_tree_by_every_name, "call":
    cluster_a_call_is_one_tree_by_every_name, local_a_call_is_one_tree_by_every_name);

/// As the cluster's two hundred, and as many messages.
#[test]
fn local_two_hundred_calls_and_two_hundred_messages_are_four_hundred_whole_trees() {
    let world = World::local("trees");
    world.start_with_messages();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut calls = Vec::new();
        let mut messages = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < CALLS {
            calls.push(printed_tree(world.msctl(&["call", "service-a/service-b", "--trace"])));
            let message = ["call", "service-a/messages", "--async", "--follow", "--trace", "-d", r#"{"n":1}"#];
            messages.push(printed_id(&world.msctl(&message).ok()));
        }
        (calls, messages)
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panicked")).collect()
    });
    let calls: Vec<&String> = done.iter().flat_map(|(calls, _)| calls).collect();
    let messages: Vec<&String> = done.iter().flat_map(|(_, messages)| messages).collect();
    assert_eq!((calls.len(), messages.len()), (CALLS, CALLS));
    for trace in calls.into_iter().chain(messages) {
        from_msctl_through_a_to_b(&world.whole_tree(trace, |span| span.service == "service-b"));
    }
}
