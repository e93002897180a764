//! A deploy until it is available: over what an independent watch sees, and beside `helm install --wait` of the same objects.
//!
//! The kubelet looks at its pods once a second, so starts are shifted by a random part of a second.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use e2e::Scenario;
use e2e::scenario::project;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use kube::runtime::watcher;

use crate::figures::{Figures, Sample, median_ms, ms, must, sample};

const ROUNDS: usize = 9;

pub(crate) fn measure(figures: &mut Figures) {
    let scenario = Scenario::new("bench-deploy");
    let (mut ours, mut theirs, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        shift();
        let (run, seen) = watched(&scenario, || {
            must(&mut scenario.msctl_command(&["deploy", "service-b"]));
        });
        ours.push(run);
        over.push(run.wall.saturating_sub(seen));
        must(&mut scenario.msctl_command(&["delete", "service-b"]));
        shift();
        let (run, _) = watched(&scenario, || {
            must(&mut scenario.helm_command(&["install", "b", &project("charts/service-b"), "--wait"]));
        });
        theirs.push(run);
        must(&mut scenario.helm_command(&["uninstall", "b", "--wait"]));
    }
    let (our_wall, their_wall) = (wall(&ours), wall(&theirs));
    figures.report("msctl deploy, wall, median", our_wall, "ms");
    figures.report("helm install --wait, wall, median", their_wall, "ms");
    figures.at_most("msctl deploy, over an independent watch, median", median_ms(over.iter().copied()), 150.0, "ms");
    figures.report("msctl deploy, over an independent watch, worst", over.iter().copied().max().map_or(0.0, ms), "ms");
    figures.at_most("msctl deploy / helm install --wait, wall", our_wall / their_wall, 1.0, "");
    let cpu = |samples: &[Sample]| median_ms(samples.iter().map(|s| s.cpu));
    figures.report("msctl deploy, CPU, median", cpu(&ours), "ms");
    figures.report("helm install --wait, CPU, median", cpu(&theirs), "ms");
    figures.at_most("msctl deploy / helm install --wait, CPU", cpu(&ours) / cpu(&theirs), 0.3, "");
}

fn shift() {
    std::thread::sleep(Duration::from_millis(rand::random_range(0..1000)));
}

fn wall(samples: &[Sample]) -> f64 {
    median_ms(samples.iter().map(|sample| sample.wall))
}

/// Runs `work` while a watch of our own looks at the Deployment; gives the time from the start to "available".
fn watched(scenario: &Scenario, work: impl FnOnce()) -> (Sample, Duration) {
    let (ready, is_ready) = mpsc::channel();
    let (seen, when_seen) = mpsc::channel();
    let namespace = scenario.namespace.clone();
    let watch = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(watch_until_available(&namespace, &ready, &seen));
    });
    is_ready.recv().expect("a watch that runs");
    let started = Instant::now();
    let run = sample(work);
    let seen: Instant = when_seen.recv().expect("a Deployment that became available");
    watch.join().expect("the watch ended well");
    (run, seen - started)
}

async fn watch_until_available(namespace: &str, ready: &mpsc::Sender<()>, seen: &mpsc::Sender<Instant>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = kube::Client::try_default().await.expect("a cluster");
    let deployments: Api<Deployment> = Api::namespaced(client, namespace);
    let mut events = watcher(deployments, watcher::Config::default()).boxed();
    while let Some(event) = events.try_next().await.expect("a watch") {
        match event {
            watcher::Event::InitDone => ready.send(()).expect("somebody waits"),
            watcher::Event::Apply(deployment) if is_available(&deployment) => {
                seen.send(Instant::now()).expect("somebody waits");
                return;
            }
            _ => {}
        }
    }
}

/// As `kubectl rollout status` judges: the newest generation, all replicas of it, all available.
fn is_available(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        status.observed_generation >= deployment.metadata.generation
            && status.updated_replicas == Some(wanted)
            && status.replicas == Some(wanted)
            && status.available_replicas == Some(wanted)
    })
}
