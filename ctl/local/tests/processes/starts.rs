//! What is started, and what it is told.

use std::collections::BTreeSet;

use local::{ReplicaState, ServiceState};

use crate::Cases;
use crate::project::{LONG, Project, get, nobody, run, wait, with};

pub(crate) fn cases() -> Cases {
    vec![
        ("replicas_share_one_address", replicas_share_one_address),
        ("a_replica_is_told_what_a_pod_is_told", a_replica_is_told_what_a_pod_is_told),
        ("a_child_inherits_nothing_of_the_guards", a_child_inherits_nothing_of_the_guards),
        ("lines_of_replicas_are_read_back", lines_of_replicas_are_read_back),
    ]
}

fn replicas_share_one_address() {
    run(async {
        let project = Project::new();
        let spec = project.spec("shop-a", 3);
        let port = spec.port;
        let mut up = project.up(vec![spec, project.spec("b", 1)]).await;

        let status = up.supervisor.status();
        assert_eq!(status.len(), 2);
        let status = &status[1];
        assert_eq!(
            (status.name.as_str(), status.state, status.ready, status.wanted),
            ("shop-a", ServiceState::Ready, 3, 3)
        );
        assert!(status.replicas.iter().all(|replica| replica.state == ReplicaState::Ready && replica.pid.is_some()));

        let names: BTreeSet<String> = status.replicas.iter().map(|replica| replica.name.clone()).collect();
        let answers: BTreeSet<String> = (0..6).map(|_| get(port, "/").unwrap()).collect();
        assert_eq!(answers, names);
        assert!(names.iter().next().unwrap().starts_with("shop-a-1-"));
        assert_eq!(up.told().iter().filter(|event| event.contains(": ready in ")).count(), 4);

        up.stop().await;
        project.assert_nothing_left();
        get(port, "/").unwrap_err();
        let mut left: Vec<_> =
            std::fs::read_dir(project.state()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".gitignore", "data", "guard.lock", "lock", "logs"]);
    });
}

fn a_replica_is_told_what_a_pod_is_told() {
    run(async {
        let project = Project::new();
        let mut spec = with(&project.spec("a", 1), "OTEL_RESOURCE_ATTRIBUTES", "team=x");
        spec.env.insert("LISTEN_ADDR".to_owned(), "127.0.0.1:1".to_owned());
        spec.env.insert("HTTP_PROXY".to_owned(), "http://mine:1".to_owned());
        "1,2".clone_into(&mut spec.version);
        let port = spec.port;
        let up = project.up(vec![spec]).await;

        let replica = up.supervisor.status()[0].replicas[0].clone();
        let told = get(port, "/env").unwrap();
        let has = |line: String| assert!(told.lines().any(|other| other == line), "{line} is not in\n{told}");
        has(format!("PORT={}", replica.port));
        has(format!("LISTEN_ADDR=127.0.0.1:{}", replica.port));
        has(format!("ADMIN_ADDR=127.0.0.1:{}", replica.admin_port.unwrap()));
        has(format!("POD_NAME={}", replica.name));
        has("POD_NAMESPACE=shop".to_owned());
        has("OTEL_SERVICE_NAME=a".to_owned());
        has("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318".to_owned());
        has("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces".to_owned());
        has("HTTP_PROXY=http://mine:1".to_owned());
        has("http_proxy=http://127.0.0.1:9".to_owned());
        has(format!("MSCTL_DATA={}", project.state().join("data").display()));
        let attributes = told.lines().find_map(|line| line.strip_prefix("OTEL_RESOURCE_ATTRIBUTES=")).unwrap();
        assert!(
            attributes.starts_with(&format!("k8s.pod.name={},k8s.namespace.name=shop,", replica.name)),
            "{attributes}"
        );
        assert!(attributes.contains(",service.version=1%2C2,"), "{attributes}");
        assert!(attributes.ends_with(",team=x"), "{attributes}");
        up.stop().await;
    });
}

fn a_child_inherits_nothing_of_the_guards() {
    run(async {
        let project = Project::new();
        let spec = project.spec("a", 1);
        let port = spec.port;
        let up = project.up(vec![spec]).await;

        // Whatever the guard does about signals, a service has to get them. (A thread that starts another blocks them
        // for a moment.)
        let status = || get(port, "/signals").unwrap();
        wait("no signal is blocked", || status().contains("SigBlk:\t0000000000000000"));
        let status = status();
        let pid = up.supervisor.status()[0].replicas[0].pid.unwrap();
        let open = |pid: &str, number: &str| {
            std::fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap().display().to_string()
        };
        let guard = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
        let pipes = [open(guard, "0"), open(guard, "1")];
        let pid = pid.to_string();
        assert_eq!(open(&pid, "0"), "/dev/null");
        assert_eq!(open(&pid, "1"), open(&pid, "2"));
        let kept: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
            .filter(|file| file.contains(".lock") || pipes.contains(file))
            .collect();
        assert_eq!(kept, [""; 0]);
        up.stop().await;
    });
}

fn lines_of_replicas_are_read_back() {
    use futures::StreamExt as _;
    run(async {
        let project = Project::new();
        let spec = with(&project.spec("a", 2), "VERSION", "first");
        let up = project.up(vec![spec.clone()]).await;
        up.supervisor.apply(vec![with(&spec, "VERSION", "second")], nobody()).await.unwrap();
        // A line is on its way for a moment.
        let options = local::logs::Options { follow: true, ..Default::default() };
        let lines = up.supervisor.logs().read(vec!["a".to_owned()], &options).take(4);
        let texts = lines.map(|line| line.unwrap().line).collect::<Vec<String>>();
        let texts = tokio::time::timeout(LONG, texts).await.unwrap();
        let (first, second) = ("service of first starts", "service of second starts");
        assert_eq!(texts, [first, first, second, second]);
        up.stop().await;
    });
}
