//! The place of a scenario that makes sense in both: a namespace of a cluster, or a project on this machine.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;

use crate::http::{Answer, ask};
use crate::jaeger::{self, Span};
use crate::{Project, Run, Scenario, eventually};

#[derive(Debug)]
pub enum World {
    Cluster(Scenario),
    Local(Project),
}

impl World {
    #[track_caller]
    pub fn cluster(name: &str) -> Self {
        Self::Cluster(Scenario::new(name))
    }

    #[track_caller]
    pub fn local(name: &str) -> Self {
        Self::Local(Project::new(name, &["service-a", "service-b"]))
    }

    /// A and B, so many replicas of each, and where their traces go; returns when A reaches B.
    #[track_caller]
    pub fn start(&self, replicas: u32) {
        self.bring(replicas, &[]);
    }

    /// One replica of each, with a database: A takes messages.
    #[track_caller]
    pub fn start_with_messages(&self) {
        self.bring(1, &["--set", "database.kind=sqlite"]);
        eventually("the first message, all the way", || {
            let answer = ask(self.address("service-a"), "POST /messages", &[], r#"{"n":0}"#)?;
            if answer.status == 201 { Ok(()) } else { Err(format!("{answer:?}")) }
        });
    }

    #[track_caller]
    fn bring(&self, replicas: u32, on_a_cluster: &[&str]) {
        match self {
            Self::Cluster(scenario) => {
                scenario.msctl(&["deploy", "jaeger"]).ok();
                let replicas = replicas.to_string();
                let mut deploy = vec!["deploy", "service-a", "service-b", "--replicas", &replicas];
                deploy.extend(["--set", "telemetry.endpoint=http://jaeger:4318"]);
                deploy.extend(on_a_cluster);
                scenario.msctl(&deploy).ok();
            }
            Self::Local(project) => {
                project.write_a_and_b(replicas);
                project.up();
            }
        }
        // kube-proxy programs a new Service up to a second after its pods are ready.
        eventually("the hop from A to B", || {
            let answer = ask(self.address("service-a"), "GET /service-b", &[], "")?;
            if answer.body == "Hello, ServiceB!" { Ok(()) } else { Err(format!("{answer:?}")) }
        });
    }

    pub fn msctl(&self, args: &[&str]) -> Run {
        Run::of(&mut self.msctl_command(args), b"")
    }

    pub fn msctl_command(&self, args: &[&str]) -> Command {
        match self {
            Self::Cluster(scenario) => scenario.msctl_command(args),
            Self::Local(project) => project.msctl_command(args),
        }
    }

    /// As names end in it: `service-b.NAMESPACE`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Cluster(scenario) => &scenario.namespace,
            Self::Local(project) => &project.name,
        }
    }

    /// The one address of a service.
    #[track_caller]
    pub fn address(&self, service: &str) -> SocketAddr {
        match self {
            Self::Cluster(scenario) => scenario.address(service),
            Self::Local(project) => project.address(service),
        }
    }

    /// The names of the replicas that run: those of the cluster's ready pods, or of the machine's processes.
    #[track_caller]
    pub fn replicas(&self, service: &str) -> BTreeSet<String> {
        match self {
            Self::Cluster(scenario) => scenario.ready_pods(service).into_iter().map(|(pod, _)| pod).collect(),
            Self::Local(project) => {
                let processes = project.replicas(service);
                processes.iter().filter_map(|process| process.replica().map(str::to_owned)).collect()
            }
        }
    }

    /// How many requests of the traffic port this replica answered, by its own count.
    #[track_caller]
    pub fn answered(&self, service: &str, replica: &str) -> u64 {
        let metrics = match self {
            Self::Cluster(scenario) => scenario.metrics(replica, if service == "service-a" { 9000 } else { 9001 }),
            Self::Local(project) => local_metrics(project, service, replica),
        };
        let count = |line: &str| line.rsplit(' ').next()?.split('.').next()?.parse::<u64>().ok();
        metrics
            .lines()
            .filter(|line| line.starts_with("http_server_request_duration_seconds_count{"))
            .filter_map(|line| count(line.split(" # ").next()?))
            .sum()
    }

    /// The spans of a trace, past msctl: from Jaeger, or by the proxy that services have.
    pub fn spans(&self, trace: &str) -> Result<Vec<Span>, String> {
        match self {
            Self::Cluster(scenario) => jaeger::spans(scenario, trace),
            Self::Local(project) => local_spans(project, trace),
        }
    }

    /// The trace, once it is one tree with a span for which `has` is true.
    #[track_caller]
    pub fn whole_tree(&self, trace: &str, has: impl Fn(&Span) -> bool) -> Vec<Span> {
        eventually("a whole tree", || {
            let spans = self.spans(trace)?;
            if jaeger::is_whole(&spans) && spans.iter().any(&has) { Ok(spans) } else { Err(format!("{spans:#?}")) }
        })
    }
}

#[track_caller]
fn local_metrics(project: &Project, service: &str, replica: &str) -> String {
    let processes = project.replicas(service);
    let process = processes.iter().find(|process| process.replica() == Some(replica));
    let process = process.unwrap_or_else(|| panic!("{replica} has ended"));
    let admin = process.environment["ADMIN_ADDR"].parse().expect("an address");
    ask(admin, "GET /metrics", &[], "").expect("metrics").body
}

fn local_spans(project: &Project, trace: &str) -> Result<Vec<Span>, String> {
    let processes = project.processes();
    let proxy = processes.iter().find_map(|process| process.replica().and(process.environment.get("http_proxy")));
    let proxy = proxy.and_then(|url| url.strip_prefix("http://")?.parse().ok()).ok_or("no replica has a proxy")?;
    let answer: Answer = ask(proxy, &format!("GET http://jaeger:16686/api/traces/{trace}"), &[], "")?;
    jaeger::read(&answer.json())
}
