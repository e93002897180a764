//! Messages: nothing acknowledged is lost, nothing is doubled, and each is one tree of spans.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use e2e::http::{Connection, ask};
use e2e::jaeger::{Span, is_whole, path, printed_id, spans};
use e2e::messages::{nothing_undelivered, received};
use e2e::scenario::project;
use e2e::{Scenario, World, eventually, in_both};

const WORKERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(20);
const LOAD: Duration = Duration::from_secs(45);

/// What became of every message that was sent, by its number.
#[derive(Debug, Default)]
struct Attempts {
    /// Numbers with the id that A gave them.
    acknowledged: BTreeMap<u64, String>,
    /// No answer, or one that promises nothing.
    unknown: HashSet<u64>,
}

#[test]
fn no_message_is_lost_or_doubled_while_pods_of_three_and_three_replicas_are_deleted() {
    let scenario = Scenario::new("messages");
    let replicas = ["--set", "service-a.replicas=3", "--set", "service-b.replicas=3"];
    install_demo(&scenario, &replicas);
    let (a, b) = (scenario.address("service-a"), scenario.address("service-b"));
    first_message(a);

    let attempts = Mutex::new(Attempts::default());
    let stop = AtomicBool::new(false);
    let next = AtomicU64::new(1);
    let deleted = std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (attempts, stop, next) = (&attempts, &stop, &next);
            scope.spawn(move || send_until(stop, a, worker % 2 == 0, next, attempts));
        }
        let ended = StopAtEnd(&stop);
        let deleted = delete_pods_at_random(&scenario, LOAD);
        drop(ended);
        deleted
    });
    let attempts = attempts.into_inner().expect("no worker panicked");
    eprintln!(
        "{} acknowledged, {} without an answer, {deleted} pods deleted",
        attempts.acknowledged.len(),
        attempts.unknown.len()
    );
    assert!(attempts.acknowledged.len() > 1000 && deleted >= 6, "too little of both");
    assert!(attempts.unknown.len() * 10 < attempts.acknowledged.len(), "too many without an answer");

    nothing_undelivered(a);
    let received = received(b);
    let mut wrong = Vec::new();
    for (number, id) in &attempts.acknowledged {
        match received.get(number).map(Vec::as_slice) {
            Some([one]) if one == id => {}
            other => wrong.push(format!("message {number} ({id}): B has {other:?}")),
        }
    }
    for (number, ids) in &received {
        let sent = attempts.acknowledged.contains_key(number) || attempts.unknown.contains(number) || *number == 0;
        if ids.len() > 1 || !sent {
            wrong.push(format!("message {number}: B has {ids:?}, sent: {sent}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), received.len(), &wrong[..wrong.len().min(10)]);
}

#[test]
fn a_followed_message_is_one_whole_tree_from_msctl_to_the_database_of_b() {
    let scenario = Scenario::new("message-trace");
    install_demo(&scenario, &[]);
    first_message(scenario.address("service-a"));

    let run =
        scenario.msctl(&["call", "service-a/messages", "--async", "--follow", "--trace", "-d", r#"{"n":1}"#]).ok();
    assert!(run.stdout.contains("\"delivered\""), "{run}");
    let trace = printed_id(&run);

    let spans = eventually("a whole tree in Jaeger", || {
        let spans = spans(&scenario, &trace)?;
        let at_b = spans.iter().any(|span| span.service == "service-b" && span.name.starts_with("INSERT"));
        if is_whole(&spans) && at_b { Ok(spans) } else { Err(format!("{spans:#?}")) }
    });
    let at_b = spans.iter().find(|span| span.service == "service-b" && span.name.starts_with("INSERT"));
    assert_eq!(path(&spans, at_b.expect("B's database")), ["msctl", "service-a", "service-b"], "{spans:#?}");
    let at_a = |span: &&Span| span.service == "service-a" && span.name.starts_with("INSERT");
    assert!(spans.iter().any(|span| at_a(&span)), "no statement of A's in {spans:#?}");
}

/// On a database file in both places.
fn a_message_is_followed_to_its_delivery(world: &World) {
    world.start_with_messages();
    let run = world.msctl(&["call", "service-a/messages", "--async", "--follow", "--trace", "-d", r#"{"n":1}"#]).ok();
    assert!(run.stdout.contains("\"delivered\""), "{run}");
    let spans = world.whole_tree(&printed_id(&run), |span| span.service == "service-b");
    let b = spans.iter().find(|span| span.service == "service-b").expect("a span of service-b");
    assert_eq!(path(&spans, b), ["msctl", "service-a", "service-b"], "{spans:#?}");
    nothing_undelivered(world.address("service-a"));
    assert_eq!(received(world.address("service-b"))[&1].len(), 1);
}

in_both!(a_message_is_followed_to_its_delivery, "message":
    cluster_a_message_is_followed_to_its_delivery, local_a_message_is_followed_to_its_delivery);

fn install_demo(scenario: &Scenario, settings: &[&str]) {
    let chart = project("charts/demo");
    let mut install = vec!["install", "demo", &chart, "--wait", "--timeout", "4m"];
    install.extend(settings);
    scenario.helm(&install).ok();
}

/// kube-proxy programs a new Service up to a second after its pods are ready.
fn first_message(a: SocketAddr) {
    eventually("the first message, all the way", || {
        let answer = ask(a, "POST /messages", &[], r#"{"n":0}"#)?;
        if answer.status == 201 { Ok(()) } else { Err(format!("{answer:?}")) }
    });
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn send_until(stop: &AtomicBool, a: SocketAddr, later: bool, next: &AtomicU64, attempts: &Mutex<Attempts>) {
    let headers: &[&str] = if later { &["Prefer: respond-async"] } else { &[] };
    let mut connection: Option<Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let body = format!(r#"{{"n":{number}}}"#);
        let answer = connection
            .take()
            .map_or_else(|| Connection::open(a), Ok)
            .and_then(|mut open| open.ask("POST /messages", headers, &body).map(|answer| (open, answer)));
        let mut attempts = attempts.lock().expect("no worker panicked");
        match answer {
            Ok((open, answer)) => {
                connection = (!answer.closes).then_some(open);
                match (answer.status, answer.json()["id"].as_str()) {
                    (201 | 202, Some(id)) => drop(attempts.acknowledged.insert(number, id.to_owned())),
                    (503, _) => drop(attempts.unknown.insert(number)),
                    _ => panic!("message {number}: {answer:?}"),
                }
            }
            Err(_) => drop(attempts.unknown.insert(number)),
        }
        drop(attempts);
        std::thread::park_timeout(PAUSE);
    }
}

/// Every few seconds one pod of A or B; every other one at once, as a node that dies would take it.
fn delete_pods_at_random(scenario: &Scenario, during: Duration) -> usize {
    let started = Instant::now();
    let mut deleted = 0;
    while started.elapsed() < during {
        // Enough chance for picking pods; what counts is that A and B take turns and every kind of end occurs.
        let chance = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.subsec_micros());
        let service = if deleted % 2 == 0 { "service-a" } else { "service-b" };
        let pods = scenario.ready_pods(service);
        if let Some((pod, _)) = pods.get(chance as usize % pods.len().max(1)) {
            let mut delete = vec!["delete", "pod", pod, "--wait=false"];
            if deleted % 4 >= 2 {
                delete.extend(["--force", "--grace-period=0"]);
            }
            // Another may have gone by itself since it was listed.
            deleted += usize::from(scenario.kubectl(&delete).code == Some(0));
        }
        std::thread::park_timeout(Duration::from_secs(3));
    }
    deleted
}
