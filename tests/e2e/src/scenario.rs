//! A namespace of a scenario's own, and the commands in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::{Run, failure};

/// One scenario's namespace. Dropping it deletes the namespace; a panic prints what was going on there first.
#[derive(Debug)]
pub struct Scenario {
    pub namespace: String,
}

impl Scenario {
    /// Makes the namespace `e2e-NAME-…`, with Pod Security `restricted` enforced as in a strict production cluster.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        failure::remember();
        let namespace = format!("e2e-{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let scenario = Self { namespace };
        let manifest = serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": scenario.namespace, "labels": {
                "msctl.dev/test": name,
                "pod-security.kubernetes.io/enforce": "restricted",
            }},
        });
        cluster(&["create", "-f", "-"], manifest.to_string().as_bytes()).ok();
        scenario
    }

    /// msctl in this namespace.
    pub fn msctl(&self, args: &[&str]) -> Run {
        Run::of(&mut self.msctl_command(args), b"")
    }

    /// For what [`Self::msctl`] does not offer: another environment, input, a signal.
    pub fn msctl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(msctl_path());
        command.args(args).args(["--namespace", &self.namespace]);
        if let Some(context) = context_flag() {
            command.args(["--context", &context]);
        }
        command
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, args: &[&str]) -> Run {
        Run::of(&mut self.kubectl_command(args), b"")
    }

    pub fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = kubectl(args);
        command.args(["--namespace", &self.namespace]);
        command
    }

    #[track_caller]
    pub fn get(&self, what: &[&str]) -> Value {
        let mut args = vec!["get", "-o", "json"];
        args.extend(what);
        self.kubectl(&args).ok().json()
    }

    pub fn helm(&self, args: &[&str]) -> Run {
        Run::of(&mut self.helm_command(args), b"")
    }

    pub fn helm_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("HELM").unwrap_or_else(|| "helm".into()));
        command.args(args).args(["--namespace", &self.namespace]);
        if let Some(context) = context_flag() {
            command.args(["--kube-context", &context]);
        }
        command
    }

    /// The pods of `service` that are not being deleted, as the API server holds them.
    #[track_caller]
    pub fn pods(&self, service: &str) -> Vec<Value> {
        let list = self.get(&["pods", "-l", &format!("app.kubernetes.io/name={service}")]);
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        pods.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect()
    }

    /// Ready pods of `service`, each with the node it runs on.
    #[track_caller]
    pub fn ready_pods(&self, service: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        let pods = self.pods(service);
        pods.iter()
            .filter(|pod| is_ready(pod))
            .map(|pod| (text(&pod["metadata"]["name"]), text(&pod["spec"]["nodeName"])))
            .collect()
    }

    /// The address that the Service of `service` has inside the cluster.
    #[track_caller]
    pub fn address(&self, service: &str) -> SocketAddr {
        let object = self.get(&["service", service]);
        let port = object["spec"]["ports"][0]["port"].as_u64().unwrap_or_default();
        let address = object["spec"]["clusterIP"].as_str().unwrap_or_default();
        format!("{address}:{port}").parse().unwrap_or_else(|error| panic!("{address}:{port}: {error}"))
    }

    /// A pod's Prometheus metrics, read through the API server: works wherever kubectl does.
    #[track_caller]
    pub fn metrics(&self, pod: &str, admin_port: u16) -> String {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}:{admin_port}/proxy/metrics", self.namespace);
        cluster(&["get", "--raw", &path], b"").ok().stdout
    }

    fn dump(&self) {
        for args in [
            &["get", "all,endpointslices,jobs", "-o", "wide"][..],
            &["get", "events", "--sort-by=.lastTimestamp"],
            &["describe", "pods"],
            &["logs", "--all-containers", "--prefix", "--tail=30", "-l", "app.kubernetes.io/name"],
        ] {
            eprintln!("{}", self.kubectl(args));
        }
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        failure::explain(|| self.dump());
        if std::env::var_os("MSCTL_E2E_KEEP").is_some() {
            eprintln!("kept: namespace {}", self.namespace);
            return;
        }
        cluster(&["delete", "namespace", &self.namespace, "--wait=false"], b"");
    }
}

/// kubectl outside any namespace.
pub fn cluster(args: &[&str], input: &[u8]) -> Run {
    Run::of(&mut kubectl(args), input)
}

fn kubectl(args: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command.args(args);
    if let Some(context) = context_flag() {
        command.args(["--context", &context]);
    }
    command
}

/// The context that the scenarios are told to use; `None` means the current one.
fn context_flag() -> Option<String> {
    std::env::var("MSCTL_TEST_CONTEXT").ok().filter(|context| !context.is_empty())
}

/// A folder of the project, `charts/demo` for one.
pub fn project(path: &str) -> String {
    // As Cargo runs it now: checkouts that share a target directory share this code, compiled in whichever was first.
    let package = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    format!("{package}/../../{path}")
}

/// The optimised msctl: the scenarios time it, too.
pub fn msctl_path() -> PathBuf {
    if let Some(path) = std::env::var_os("MSCTL") {
        return path.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from(project("target")), PathBuf::from);
    target.join("release/msctl")
}
