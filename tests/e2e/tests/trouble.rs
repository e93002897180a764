//! Bad input and trouble: an error that says what, why and the next command, the right exit code, and nothing left behind.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::exit::{CALLEE_FAILED, FAILED, FORBIDDEN, INTERRUPTED, ROLLOUT_FAILED, TIMED_OUT, UNREACHABLE, USAGE};
use e2e::explanation::is_whole;
use e2e::run::finish;
use e2e::scenario::msctl_path;
use e2e::{Background, Run, Scenario, World, eventually, in_both};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A command line of every verb that asks a cluster.
const VERBS: [&[&str]; 7] = [
    &["deploy", "service-b"],
    &["scale", "service-b", "--replicas", "2"],
    &["call", "service-b"],
    &["status"],
    &["logs", "service-b"],
    &["trace", "service-b"],
    &["delete", "service-b"],
];

const NO_SUCH_IMAGE: &str = "ghcr.io/msctl/no-such-image:9.9.9";

#[test]
fn an_unknown_service_is_named_with_the_next_command() {
    let scenario = Scenario::new("unknown-service");
    scenario.msctl(&["deploy", "service-b"]).ok();
    for verb in [
        &["status", "service-x"][..],
        &["scale", "service-x", "--replicas", "2"],
        &["delete", "service-x"],
        &["logs", "service-x"],
    ] {
        scenario.msctl(verb).code_is(FAILED).says(&["service-x", &scenario.namespace]);
    }
    scenario.msctl(&["delete", "service-b"]).ok();
    assert_nothing_left(&scenario);
    scenario.msctl(&["call", "service-x:8001"]).code_is(FAILED).says(&["service-x", &scenario.namespace]);
    scenario.msctl(&["deploy", "service-x"]).code_is(USAGE).says(&["service-x", "--image"]);
}

fn a_name_that_is_nearly_right_is_answered_with_the_right_one(world: &World) {
    world.start(1);
    for verb in [
        &["status", "servce-a"][..],
        &["scale", "servce-a", "--replicas", "2"],
        &["delete", "servce-a"],
        &["call", "servce-a"],
        &["logs", "servce-a"],
    ] {
        world.msctl(verb).code_is(FAILED).says(&["servce-a", "service-a"]);
    }
    let before = world.replicas("service-a");
    world.msctl(&["delete", "service-b"]).ok();
    assert!(world.replicas("service-b").is_empty());
    world.msctl(&["status", "service-b"]).code_is(FAILED).says(&["service-b"]);
    world.msctl(&["call", "service-b"]).code_is(FAILED).says(&["service-b"]);
    world.msctl(&["delete", "service-b", "--ignore-not-found"]).ok();
    assert_eq!(world.replicas("service-a"), before);
    world.msctl(&["deploy", "service-b"]).ok();
    eventually("an answer of what was deployed again", || {
        let run = world.msctl(&["call", "service-b"]);
        if run.stdout == "Hello, ServiceB!" { Ok(()) } else { Err(run.to_string()) }
    });
}

in_both!(a_name_that_is_nearly_right_is_answered_with_the_right_one, "names":
    cluster_a_name_that_is_nearly_right_is_answered_with_the_right_one,
    local_a_name_that_is_nearly_right_is_answered_with_the_right_one);

#[test]
fn an_unknown_namespace_is_named_and_can_be_created() {
    let scenario = Scenario::new("unknown-namespace");
    let missing = format!("{}-not-there", scenario.namespace);
    let run = Scenario { namespace: missing.clone() };
    for verb in VERBS {
        run.msctl(verb).code_is(FAILED).says(&[&missing, "does not exist"]);
    }
    run.msctl(&["deploy", "service-b"]).code_is(FAILED).says(&["--create-namespace"]);
    run.msctl(&["deploy", "service-b", "--create-namespace"]).ok();
    assert_eq!(run.ready_pods("service-b").len(), 2);
}

#[test]
fn an_unknown_context_lists_the_ones_there_are() {
    let known = Run::of(std::process::Command::new("kubectl").args(["config", "get-contexts", "-o", "name"]), b"").ok();
    for verb in VERBS {
        let mut command = std::process::Command::new(msctl_path());
        command.args(verb).args(["--context", "no-such-context"]);
        Run::of(&mut command, b"")
            .code_is(USAGE)
            .says(&["no-such-context", known.stdout.lines().next().unwrap_or_default()]);
    }
}

#[test]
fn bad_values_stop_before_anything_is_written() {
    let scenario = Scenario::new("bad-values");
    let cases: [(&[&str], &[&str]); 5] = [
        (&["--set", "replcas=2"], &["replcas", "replicas", "where: --set replcas"]),
        (&["--set", "replicas=many"], &["replicas", "many", "where: --set replicas"]),
        (&["--set", "service.port=70000"], &["service.port", "65535", "where: --set service.port"]),
        (&["--port", "70000"], &["70000", "65535"]),
        (&["--image", "service-a"], &["image", "registry"]),
    ];
    for (flags, said) in cases {
        scenario.msctl(&[&["deploy", "service-a"], flags].concat()).code_is(USAGE).says(said);
    }
    assert_nothing_left(&scenario);
}

#[test]
fn an_image_that_does_not_exist_fails_the_deploy_at_once_with_its_cause() {
    let scenario = Scenario::new("no-image");
    let run = scenario.msctl(&["deploy", "orders", "--image", NO_SUCH_IMAGE, "--port", "8080"]);
    assert!(run.took < Duration::from_mins(1), "{run}");
    run.code_is(ROLLOUT_FAILED).says(&["orders", NO_SUCH_IMAGE, "ull"]);
    scenario.msctl(&["delete", "orders"]).ok();
    assert_nothing_left(&scenario);
}

#[test]
fn a_crashing_pod_fails_the_deploy_with_its_last_log_lines() {
    let scenario = Scenario::new("crash");
    let run = scenario.msctl(&["deploy", "service-a", "--set", "env.LISTEN_ADDR=nonsense"]);
    assert!(run.took < Duration::from_secs(90), "{run}");
    run.code_is(ROLLOUT_FAILED).says(&["service-a", "LISTEN_ADDR", "nonsense"]);
    assert_lease_is_free(&scenario);
    scenario.msctl(&["delete", "service-a"]).ok();
    assert_nothing_left(&scenario);
}

#[test]
fn a_pod_that_never_becomes_ready_is_explained_by_its_probe_at_the_deadline() {
    let scenario = Scenario::new("never-ready");
    let run =
        scenario.msctl(&["deploy", "service-a", "--set", "probes.readiness.path=/no-such-path", "--timeout", "15s"]);
    assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
    run.code_is(TIMED_OUT).says(&["service-a", "eadiness", "404"]);
    assert_lease_is_free(&scenario);
    scenario.msctl(&["delete", "service-a"]).ok();
    assert_nothing_left(&scenario);
}

#[test]
fn no_cluster_is_said_as_such() {
    let scenario = Scenario::new("no-cluster");
    let config = kubeconfig_to("https://127.0.0.1:1");
    for verb in VERBS {
        let msctl = || {
            let mut command = std::process::Command::new(msctl_path());
            command.args(verb).args(["--namespace", &scenario.namespace]);
            command
        };
        Run::of(msctl().env("KUBECONFIG", "/no/such/kubeconfig").env("HOME", "/no/such/home"), b"")
            .code_is(UNREACHABLE)
            .says(&["/no/such/kubeconfig"]);
        Run::of(msctl().env("KUBECONFIG", &config), b"").code_is(UNREACHABLE).says(&["https://127.0.0.1:1"]);
    }
    let _ = std::fs::remove_file(config);
}

#[test]
fn what_the_api_server_forbids_is_named_with_who_and_what() {
    let scenario = Scenario::new("forbidden");
    for verb in VERBS {
        scenario.msctl(&[verb, &["--as", "nobody"]].concat()).code_is(FORBIDDEN).says(&["nobody"]);
    }
    assert_nothing_left(&scenario);
}

#[test]
fn a_call_without_jaeger_still_prints_its_body() {
    let scenario = Scenario::new("no-jaeger");
    scenario.msctl(&["deploy", "service-b"]).ok();
    scenario.msctl(&["call", "service-b"]).ok().prints("Hello, ServiceB!");
    let traced = scenario.msctl(&["call", "service-b", "--trace"]);
    assert!(traced.stdout.starts_with("Hello, ServiceB!"), "{traced}");
    traced.code_is(FAILED).says(&["aeger"]);
    scenario.msctl(&["trace", "service-b"]).code_is(FAILED).says(&["aeger"]);
}

#[test]
fn a_relay_image_that_cannot_be_pulled_fails_at_once_and_leaves_nothing() {
    let scenario = Scenario::new("no-relay");
    let run = scenario.msctl(&["call", "service-b", "--relay-image", NO_SUCH_IMAGE]);
    assert!(run.took < Duration::from_mins(1), "{run}");
    run.code_is(FAILED).says(&[NO_SUCH_IMAGE, "next: "]);
    eventually("no relay left", || {
        let left = scenario.get(&["jobs,pods,networkpolicies"]);
        match left["items"].as_array().map(Vec::len) {
            Some(0) => Ok(()),
            _ => Err(left.to_string()),
        }
    });
}

#[test]
fn bodies_that_are_wrong_are_refused_by_the_side_that_can_tell() {
    let scenario = Scenario::new("bodies");
    scenario.msctl(&["deploy", "service-a"]).ok();
    scenario.msctl(&["call", "service-a", "-d", r#"{"key":"value"}"#]).ok().prints("Hello, World!");
    scenario.msctl(&["call", "service-a", "-d", "{\"key\":"]).code_is(USAGE).says(&["JSON", "line 1"]);
    let large = Run::of(
        &mut scenario.msctl_command(&["call", "service-a", "-d", "@-"]),
        format!("\"{}\"", "x".repeat(100_000)).as_bytes(),
    );
    assert!(large.stdout.contains("\"status\":413"), "{large}");
    large.code_is(CALLEE_FAILED).says(&["answered 413", "next: send a smaller body; this one has 100002 bytes"]);
    let missing = scenario.msctl(&["call", "service-a/no-such-path"]);
    assert!(missing.stdout.contains("\"status\":404"), "{missing}");
    missing.code_is(CALLEE_FAILED).says(&["answered 404"]);
}

#[test]
fn what_was_applied_by_hand_is_taken_over_and_a_failed_deploy_is_deleted_whole() {
    let scenario = Scenario::new("by-hand");
    // The way that `deploy --help` shows for pipelines: rendered here, applied by kubectl, and later deployed by msctl.
    let rendered = scenario.msctl(&["deploy", "service-b", "--dry-run=client", "-o", "yaml"]).ok().stdout;
    Run::of(&mut scenario.kubectl_command(&["apply", "-f", "-"]), rendered.as_bytes()).ok();
    scenario.msctl(&["deploy", "service-b"]).ok();
    // A deploy that fails half-way, with a Lease that knows nothing of what is there.
    scenario.kubectl(&["delete", "lease", "msctl-service-b"]).ok();
    let large = std::env::temp_dir().join(format!("{}.txt", scenario.namespace));
    std::fs::write(&large, "x".repeat(1_200_000)).expect("a file in the temporary folder");
    let failed = scenario.msctl(&["deploy", "service-b", "--set-file", &format!("env.BIG={}", large.display())]);
    std::fs::remove_file(large).expect("a file of ours");
    failed.code_is(FAILED).says(&["cannot apply configmap"]);
    let deleted = scenario.msctl(&["delete", "service-b", "--timeout", "60s"]).ok();
    assert!(deleted.stdout.contains("deployment.apps/service-b"), "{deleted}");
    assert_nothing_left(&scenario);
    // Of several names each is looked at before any goes.
    scenario.msctl(&["deploy", "service-a", "--no-wait"]).ok();
    let refused = scenario.msctl(&["delete", "service-a", "no-such-service"]).code_is(FAILED);
    assert_eq!(refused.stdout, "", "{refused}");
    let asked = &scenario.get(&["deployment", "service-a"])["metadata"]["deletionTimestamp"];
    assert!(asked.is_null(), "{asked}");
}

#[test]
fn ctrl_c_ends_every_wait_and_the_next_deploy_goes_on() {
    let scenario = Scenario::new("ctrl-c");
    // A deploy that waits for a pod that never gets ready; the Lease must be free again afterwards.
    let deploy = ["deploy", "service-a", "--set", "probes.readiness.path=/no-such-path"];
    interrupt(&scenario, &deploy, "a pod", || !scenario.pods("service-a").is_empty());
    assert_lease_is_free(&scenario);
    scenario.msctl(&["deploy", "service-a"]).ok();
    // A scale that can't be satisfied.
    scenario.kubectl(&["create", "quota", "no-more", "--hard=pods=3"]).ok();
    let wanted = || scenario.get(&["deployment", "service-a"])["spec"]["replicas"] == 9;
    interrupt(&scenario, &["scale", "service-a", "--replicas", "9"], "nine wanted", wanted);
    // A relay that can't come up.
    scenario.kubectl(&["delete", "quota", "no-more"]).ok();
    scenario.kubectl(&["create", "quota", "no-jobs", "--hard=pods=0"]).ok();
    let asked = || !scenario.get(&["jobs"])["items"].as_array().is_none_or(Vec::is_empty);
    interrupt(&scenario, &["call", "service-a"], "a relay's job", asked);
    eventually("no relay left", || {
        let jobs = scenario.get(&["jobs"]);
        if jobs["items"].as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err(jobs.to_string()) }
    });
}

#[test]
fn ctrl_c_ends_the_waits_for_a_dead_holder_and_for_a_deletion() {
    let scenario = Scenario::new("ctrl-c-others");
    let never_ready = ["deploy", "service-a", "--set", "probes.readiness.path=/no-such-path"];
    let dead = Background::start(&mut scenario.msctl_command(&never_ready));
    eventually("a pod", || if scenario.pods("service-a").is_empty() { Err("none".to_owned()) } else { Ok(()) });
    // It can't give its Lease back, which the next one waits out.
    assert!(dead.signal(Signal::SIGKILL));
    dead.end();
    for verb in [&never_ready[..], &["delete", "service-a"]] {
        let waiting = Background::start(&mut scenario.msctl_command(verb));
        waiting.says("waiting for a sign of life");
        let run = interrupted(waiting);
        assert!(run.stdout.is_empty() && !run.stderr.contains("stays deleted"), "{run}");
        assert!(scenario.get(&["lease", "msctl-service-a"])["spec"]["holderIdentity"].is_string(), "not ours to take");
    }
    // An object that does not go: its finalizer's owner never comes.
    let kept = ["deployment", "service-a", "--type=merge", "-p"];
    let finalizers = |list: &str| format!(r#"{{"metadata":{{"finalizers":{list}}}}}"#);
    scenario.kubectl(&[&["patch"], &kept[..], &[&finalizers(r#"["msctl.dev/test"]"#)]].concat()).ok();
    let deleting = Background::start(&mut scenario.msctl_command(&["delete", "service-a"]));
    eventually("a deletion", || {
        let asked = &scenario.get(&["deployment", "service-a"])["metadata"]["deletionTimestamp"];
        if asked.is_string() { Ok(()) } else { Err("not asked for yet".to_owned()) }
    });
    let run = interrupted(deleting).says(&["what was deleted stays deleted", "next: msctl status"]);
    assert!(run.stdout.contains("deployment.apps/service-a deleted\n"), "{run}");
    scenario.kubectl(&[&["patch"], &kept[..], &[&finalizers("[]")]].concat()).ok();
    // The Lease was given back, so nobody waits for it.
    let again = scenario.msctl(&["delete", "service-a", "--ignore-not-found"]).ok();
    assert!(again.took < Duration::from_secs(10), "{again}");
    eventually("nothing left", || {
        let left = scenario.get(&["deployments,services,pods", "-l", "app.kubernetes.io/name=service-a"]);
        if left["items"].as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err(left.to_string()) }
    });
}

#[test]
fn ctrl_c_ends_a_deploy_that_nobody_reads_and_its_lease_is_given_back() {
    let scenario = Scenario::new("unread");
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // All that it takes (pipe(7)).
    writer.write_all(&vec![b'\n'; 65536]).expect("room");
    let mut command = scenario.msctl_command(&["deploy", "service-a"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("msctl");
    eventually("ready pods, which it does not look at", || match scenario.ready_pods("service-a").len() {
        2 => Ok(()),
        ready => Err(format!("{ready} ready")),
    });
    let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(id, Signal::SIGINT).expect("it waits");
    let started = Instant::now();
    let output = finish(child, "msctl deploy");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(is_whole(&said) && said.contains("why: whoever reads it takes no more"), "{said}");
    assert!(said.contains("what was applied stays applied") && !said.contains("warning"), "{said}");
    assert_lease_is_free(&scenario);
    drop(reader);
}

#[test]
fn a_closed_pipe_on_stdout_ends_quietly() {
    let scenario = Scenario::new("closed-pipe");
    scenario.msctl(&["deploy", "service-b"]).ok();
    for verb in [
        &["status", "-o", "json"][..],
        &["deploy", "service-b"],
        &["call", "service-b", "-i"],
        &["logs", "service-b"],
        &["deploy", "service-b", "--dry-run=client", "-o", "yaml"],
        &["scale", "service-b", "--replicas", "2"],
        &["delete", "service-b"],
    ] {
        let mut child =
            scenario.msctl_command(verb).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("msctl");
        drop(child.stdout.take());
        let output = finish(child, "msctl");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(!said.contains("panicked") && !said.contains("roken pipe"), "{said}");
    }
}

/// Starts msctl, waits until `started`, sends SIGINT, and expects a prompt end with 130.
#[track_caller]
fn interrupt(scenario: &Scenario, args: &[&str], what: &str, started: impl Fn() -> bool) {
    let running = Background::start(&mut scenario.msctl_command(args));
    eventually(what, || if started() { Ok(()) } else { Err("not yet".to_owned()) });
    interrupted(running);
}

/// Sends SIGINT, and expects a prompt end with 130.
#[track_caller]
fn interrupted(running: Background) -> Run {
    assert!(running.signal(Signal::SIGINT), "a process to interrupt");
    let sent = Instant::now();
    let run = running.end().code_is(INTERRUPTED);
    assert!(sent.elapsed() < Duration::from_secs(15), "took {:?} to end: {run}", sent.elapsed());
    run
}

/// A kubeconfig file of a cluster that is not there.
fn kubeconfig_to(server: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("msctl-e2e-{}.kubeconfig", std::process::id()));
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gone",
        "clusters": [{"name": "gone", "cluster": {"server": server}}],
        "users": [{"name": "gone", "user": {"token": "none"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "gone"}}],
    });
    std::fs::write(&path, config.to_string()).expect("a file in the temporary folder");
    path
}

/// Nobody has to wait for a holder that is gone.
#[track_caller]
fn assert_lease_is_free(scenario: &Scenario) {
    let lease = scenario.get(&["lease", "msctl-service-a"]);
    assert!(lease["spec"]["holderIdentity"].is_null(), "{lease}");
}

#[track_caller]
fn assert_nothing_left(scenario: &Scenario) {
    // Every kind that msctl makes; the service account `default` and the bundle of certificates are the namespace's own.
    let kinds = "all,jobs,networkpolicies,poddisruptionbudgets,leases,secrets,configmaps,serviceaccounts,ingresses,\
                 persistentvolumeclaims";
    let left = scenario.get(&[kinds]);
    let names = left["items"].as_array().expect("a list").iter().map(|item| &item["metadata"]["name"]);
    let left: Vec<_> = names.filter(|name| *name != "default" && *name != "kube-root-ca.crt").collect();
    assert!(left.is_empty(), "{left:?}");
}
