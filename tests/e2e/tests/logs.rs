//! `msctl logs -f`: through a rollout, from the first line of whoever comes to the last of whoever goes.

use e2e::{Background, World, eventually, in_both};
use nix::sys::signal::Signal;

fn logs_follow_through_a_rollout(world: &World) {
    world.start(1);
    let before = world.replicas("service-a");
    let first = before.first().expect("a replica").clone();
    let follow = Background::start(&mut world.msctl_command(&["logs", "service-a", "--follow"]));
    follow.says(&first);

    world.msctl(&["deploy", "service-a", "--set", "env.IDLE_TIMEOUT=59s"]).ok();
    let second = eventually("the replica that replaces it", || {
        let now = world.replicas("service-a");
        let new = now.difference(&before).next().cloned();
        new.filter(|_| now.is_disjoint(&before)).ok_or_else(|| format!("{now:?}"))
    });
    follow.says(&second);
    assert!(follow.signal(Signal::SIGINT), "ended by itself: {}", follow.stderr());
    let run = follow.end().code_is(130);

    // All that each has written, and in the same order as it is read afterwards.
    let lines_of = |text: &str, replica: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(replica)).map(str::to_owned).collect()
    };
    assert!(lines_of(&run.stdout, &first).len() > 1, "{run}");
    let read = world.msctl(&["logs", "service-a"]).ok();
    let (followed, read) = (lines_of(&run.stdout, &second), lines_of(&read.stdout, &second));
    assert!(!followed.is_empty() && read.starts_with(&followed), "{followed:#?}\n{read:#?}");
}

in_both!(logs_follow_through_a_rollout, "logs":
    cluster_logs_follow_through_a_rollout, local_logs_follow_through_a_rollout);
