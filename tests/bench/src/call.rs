//! One call, whole process, beside `kubectl port-forward` and curl.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use e2e::Scenario;

use crate::figures::{Figures, Sample, median_ms, must, sample};

const ROUNDS: usize = 21;

pub(crate) fn measure(figures: &mut Figures) {
    let scenario = Scenario::new("bench-call");
    scenario.msctl(&["deploy", "service-a", "service-b"]).ok();
    // The first call brings the relay.
    scenario.msctl(&["call", "service-a"]).ok();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(sample(|| must(&mut scenario.msctl_command(&["call", "service-a"]))));
        theirs.push(sample(|| port_forward_and_curl(&scenario)));
    }
    let (our_wall, their_wall) = (wall(&ours), wall(&theirs));
    figures.report("msctl call, relay there, wall, median", our_wall, "ms");
    figures.report("kubectl port-forward + curl, wall, median", their_wall, "ms");
    figures.report("msctl call, CPU, median", median_ms(ours.iter().map(|s| s.cpu)), "ms");
    figures.report("kubectl port-forward + curl, CPU, median", median_ms(theirs.iter().map(|s| s.cpu)), "ms");
    figures.at_most("msctl call / (kubectl port-forward + curl)", our_wall / their_wall, 0.3, "");
}

fn wall(samples: &[Sample]) -> f64 {
    median_ms(samples.iter().map(|sample| sample.wall))
}

fn port_forward_and_curl(scenario: &Scenario) {
    let mut forward = scenario
        .kubectl_command(&["port-forward", "service/service-a", ":8000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl port-forward");
    let mut stdout = BufReader::new(forward.stdout.take().expect("piped"));
    let port = forwarded_port(&mut stdout);
    must(Command::new("curl").args(["-sSf", &format!("http://127.0.0.1:{port}/")]));
    forward.kill().and_then(|()| forward.wait()).expect("end of port-forward");
}

/// From `Forwarding from 127.0.0.1:PORT -> 8000`. The pipe stays open: kubectl ends when nobody reads what it prints next.
fn forwarded_port(stdout: &mut impl BufRead) -> u16 {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("port-forward's first line");
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    port.unwrap_or_else(|| panic!("no port in {line:?}"))
}
