//! kubectl port-forward and curl: the services as a person tests them without msctl.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use e2e::{Run, Scenario, eventually};

#[test]
fn port_forward_and_curl_reach_both_services() {
    let scenario = Scenario::new("port-forward");
    scenario.msctl(&["deploy", "service-a", "service-b"]).ok();

    let a = Forward::to(&scenario, "service/service-a", 8000);
    a.curl("/", &[]).prints("Hello, World!200 text/plain");
    a.curl("/", &["-H", "content-type: application/json", "-d", r#"{"key":"value"}"#])
        .prints("Hello, World!200 text/plain");
    // kube-proxy programs a new Service up to a second after its pods are ready.
    eventually("the hop from A to B", || match a.curl("/service-b", &[]).stdout.as_str() {
        "Hello, ServiceB!200 text/plain" => Ok(()),
        other => Err(other.to_owned()),
    });
    let malformed = a.curl("/", &["-H", "content-type: application/json", "-d", "{"]);
    assert!(malformed.stdout.ends_with("400 application/problem+json"), "{malformed}");

    let b = Forward::to(&scenario, "service/service-b", 8001);
    b.curl("/", &[]).prints("Hello, ServiceB!200 text/plain");
}

/// A running `kubectl port-forward`, ended when dropped.
struct Forward {
    child: Child,
    port: u16,
    /// kubectl goes on printing, and ends when nobody reads.
    _stdout: BufReader<ChildStdout>,
}

impl Forward {
    fn to(scenario: &Scenario, what: &str, port: u16) -> Self {
        let mut child = scenario
            .kubectl_command(&["port-forward", what, &format!(":{port}")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl port-forward");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("its first line");
        let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {line:?}"));
        Self { child, port, _stdout: stdout }
    }

    fn curl(&self, path: &str, args: &[&str]) -> Run {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut command = Command::new("curl");
        command.args(["-sS", "-w", "%{http_code} %{content_type}"]).args(args).arg(url);
        Run::of(&mut command, b"").ok()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
