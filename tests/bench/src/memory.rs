//! Resident memory of the services, idle in their pods.

use std::time::Duration;

use e2e::{Scenario, eventually};

use crate::figures::Figures;

const SETTLED: Duration = Duration::from_secs(5);

pub(crate) fn measure(figures: &mut Figures) {
    let scenario = Scenario::new("bench-memory");
    scenario.msctl(&["deploy", "service-a", "service-b"]).ok();
    for (service, admin) in [("service-a", 9000), ("service-b", 9001)] {
        for pod in scenario.pods(service) {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let megabytes = resident_mb(&scenario, &name, admin);
            figures.at_most(&format!("{service} idle in its pod, resident"), megabytes, 8.0, "MB");
        }
    }
}

/// Some time after start: a burst of start-up does not count as idle.
fn resident_mb(scenario: &Scenario, pod: &str, admin: u16) -> f64 {
    std::thread::sleep(SETTLED);
    eventually("resident memory", || {
        let metrics = scenario.metrics(pod, admin);
        let line = metrics.lines().find(|line| line.starts_with("process_resident_memory_bytes "));
        let bytes: f64 = line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or("no such metric")?;
        Ok(bytes / 1e6)
    })
}
