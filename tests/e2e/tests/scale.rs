//! `msctl scale`: it returns when that many are ready, and calls reach them all.

use std::collections::BTreeSet;

use e2e::exit::FAILED;
use e2e::{World, eventually, in_both};

#[test]
fn scale_returns_when_all_are_ready_and_calls_reach_every_replica_on_both_nodes() {
    let world = World::cluster("scale");
    let World::Cluster(scenario) = &world else { unreachable!("made as one") };
    scenario.msctl(&["deploy", "service-a", "service-b"]).ok();
    scenario.msctl(&["scale", "service-a", "--replicas", "5"]).ok();
    let pods = scenario.ready_pods("service-a");
    assert_eq!(pods.len(), 5, "returned with {pods:?} ready");
    let nodes: BTreeSet<_> = pods.iter().map(|(_, node)| node).collect();
    assert_eq!(nodes.len(), 2, "all on {nodes:?}");

    eventually("an answer from every replica", || {
        for _ in 0..10 {
            scenario.msctl(&["call", "service-a"]).ok().prints("Hello, World!");
        }
        let silent: Vec<_> = pods.iter().filter(|(pod, _)| world.answered("service-a", pod) == 0).collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("no request reached {silent:?}")) }
    });

    // The deploy after it leaves the replicas alone: they belong to whoever set them last.
    scenario.msctl(&["deploy", "service-a", "--set", "podAnnotations.touched=yes"]).ok();
    assert_eq!(scenario.get(&["deployment", "service-a"])["spec"]["replicas"], 5);

    scenario.msctl(&["scale", "service-a", "--replicas", "0"]).ok();
    assert_eq!(scenario.pods("service-a").len(), 0);
}

fn calls_reach_every_replica_and_zero_is_a_number_too(world: &World) {
    world.start(1);
    world.msctl(&["scale", "service-a", "--replicas", "3"]).ok();
    let replicas = world.replicas("service-a");
    assert_eq!(replicas.len(), 3, "returned with {replicas:?}");
    eventually("an answer from every replica", || {
        for _ in 0..6 {
            world.msctl(&["call", "service-a"]).ok().prints("Hello, World!");
        }
        let silent: Vec<_> = replicas.iter().filter(|replica| world.answered("service-a", replica) == 0).collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("no request reached {silent:?}")) }
    });

    // The deploy after it leaves the replicas alone: they belong to whoever set them last.
    world.msctl(&["deploy", "service-a", "--set", "env.IDLE_TIMEOUT=59s"]).ok();
    assert_eq!(world.replicas("service-a").len(), 3);

    world.msctl(&["scale", "service-a", "--replicas", "0"]).ok();
    eventually("no replica", || match world.replicas("service-a") {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    });
    let status = world.msctl(&["status", "service-a", "-o", "json"]).ok().json();
    assert_eq!(status[0]["state"], "stopped");
    world.msctl(&["call", "service-a", "--timeout", "5s"]).code_is(FAILED).says(&["no replicas"]);

    world.msctl(&["scale", "service-a", "--replicas", "1"]).ok();
    assert_eq!(world.replicas("service-a").len(), 1);
    eventually("an answer again", || {
        let run = world.msctl(&["call", "service-a"]);
        if run.stdout == "Hello, World!" { Ok(()) } else { Err(run.to_string()) }
    });
}

in_both!(calls_reach_every_replica_and_zero_is_a_number_too, "scales":
    cluster_calls_reach_every_replica_and_zero_is_a_number_too, local_calls_reach_every_replica_and_zero_is_a_number_too);
