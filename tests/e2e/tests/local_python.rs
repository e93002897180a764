//! The example of docs/examples/python: two services that know nothing of msctl, run as their page says.

use std::collections::BTreeSet;

use e2e::http::ask;
use e2e::jaeger::{path, printed_id};
use e2e::scenario::project as of_repository;
use e2e::{Background, Project, World, eventually};
use nix::sys::signal::Signal;

const FILES: [&str; 3] = ["msctl.yaml", "frontend.py", "backend.py"];

/// The example as it is, but for its ports, which another run beside this one has too.
fn example(name: &str) -> Project {
    let mut project = Project::new(name, &["frontend", "backend"]);
    for file in FILES {
        let text =
            std::fs::read_to_string(of_repository(&format!("docs/examples/python/{file}"))).expect("the example");
        assert!(text.contains("8000") || text.contains("8001"), "{file} has no port to replace");
        let text = text.replace("8000", &project.port("frontend").to_string());
        project.put(file, &text.replace("8001", &project.port("backend").to_string()));
    }
    "example".clone_into(&mut project.name);
    project
}

#[test]
fn local_python_services_run_as_the_page_of_the_example_says() {
    let world = World::Local(example("python"));
    let World::Local(project) = &world else { unreachable!("made as one") };
    project.up();

    let run = project.msctl(&["call", "frontend", "--trace"]).ok();
    assert!(run.stdout.starts_with("frontend-") && run.stdout.contains(" was told: Hello from backend-"), "{run}");
    // Neither exports spans: msctl's own show the request and its answer, and nobody waits for more.
    let run = run.says(&["frontend has sent no spans so far"]);
    let trace = printed_id(&run);
    let spans = world.whole_tree(&trace, |span| span.name == "GET");
    let hop = spans.iter().find(|span| span.name == "GET").expect("the request");
    assert_eq!(path(&spans, hop), ["msctl"], "{spans:#?}");
    // And the trace got to both.
    for service in ["frontend", "backend"] {
        eventually("the line of the request", || {
            let logs = project.msctl(&["logs", service]).ok();
            if logs.stdout.contains(&format!("traceparent=00-{trace}-")) { Ok(()) } else { Err(logs.to_string()) }
        });
    }

    project.msctl(&["scale", "backend", "--replicas", "3"]).ok();
    let replicas = world.replicas("backend");
    assert_eq!(replicas.len(), 3);
    eventually("an answer of every replica, by name through the proxy", || {
        let answers: BTreeSet<String> = (0..6)
            .map(|_| ask(world.address("frontend"), "GET /", &[], "").map(|answer| answer.body))
            .collect::<Result<_, String>>()?;
        let told = |replica: &&String| answers.iter().any(|answer| answer.contains(&format!("from {replica}!")));
        let silent: Vec<_> = replicas.iter().filter(|replica| !told(replica)).collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("{silent:?} of {answers:#?}")) }
    });
    for name in ["backend", "backend.example", "backend.example.svc.cluster.local"] {
        let port = world.address("backend").port();
        let run = project.msctl(&["call", &format!("http://{name}:{port}/")]).ok();
        assert!(run.stdout.starts_with("Hello from backend-"), "{run}");
    }

    let replica = &project.replicas("backend")[0].environment;
    let told =
        ["PORT", "LISTEN_ADDR", "HOSTNAME", "POD_NAME", "OTEL_SERVICE_NAME", "http_proxy", "no_proxy", "MSCTL_DATA"];
    for name in told {
        assert!(replica.contains_key(name), "no {name} in {replica:#?}");
    }
    assert!(!replica.contains_key("ADMIN_PORT"), "it has no admin port");
    project.msctl(&["down", "--volumes"]).ok();
    project.nothing_left();
}

#[test]
fn local_python_a_replica_that_crashes_is_started_again_and_logs_follow_it() {
    let world = World::Local(example("python-crash"));
    let World::Local(project) = &world else { unreachable!("made as one") };
    project.up();
    let follow = Background::start(&mut project.msctl_command(&["logs", "backend", "-f"]));
    project.msctl(&["call", "frontend"]).ok();
    follow.says("GET / 200");
    assert!(project.replicas("backend")[0].signal(Signal::SIGKILL));
    eventually("an answer again", || {
        let run = project.msctl(&["call", "backend"]);
        if run.code == Some(0) { Ok(()) } else { Err(run.to_string()) }
    });
    let status = project.msctl(&["status", "backend", "-o", "json"]).ok().json();
    assert_eq!(status[0]["pods"][0]["restarts"], 1, "{status}");
    eventually("the line of the request after it", || match follow.stdout().matches("GET / 200").count() {
        2.. => Ok(()),
        _ => Err(follow.stdout()),
    });
}

/// What the page of the example says is what runs: its commands, in its order.
#[test]
fn local_python_the_page_names_commands_that_work() {
    let page = std::fs::read_to_string(of_repository("docs/examples/python/README.md")).expect("the page");
    let commands: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("    msctl "))
        .map(|line| line.split('#').next().unwrap_or_default().split_whitespace().collect())
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    let project = example("python-page");
    for command in commands {
        project.msctl(&command).ok();
    }
    project.nothing_left();
    assert!(!project.state().exists());
}
