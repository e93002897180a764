//! From the acknowledged commit at A to the effect at B, under a load that does not wait.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::databases::{Databases, Kind};
use super::load::{self, Acknowledged, Request};
use super::service::Service;
use super::tap::Tap;
use crate::figures::Figures;

const INTERVAL: Duration = Duration::from_millis(2);
const COUNT: usize = 10_000;
/// For what is still under way when the last request is answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Commit to effect: from when the client has A's 202, which A sends after the commit, to when B's 201 passes between A
/// and B, which B sends after its commit. Both are stamped by one clock, in this process. The relay that stamps the
/// second is in the way of the delivery, so its hop is part of what is measured; what A needs between its commit and
/// its answer is not, so the time from when the request was due is told too: it holds everything.
pub(crate) fn measure(figures: &mut Figures, databases: &Databases, kind: Kind) {
    let (a, b) = (databases.fresh(kind), databases.fresh(kind));
    let service_b = Service::start(api::b::NAME, databases.guard(), &[("DATABASE_URL", b.url())]);
    let runtime = load::runtime();
    let tap = runtime.block_on(Tap::open(service_b.address));
    let upstream = format!("http://{}", tap.address);
    let environment = [("DATABASE_URL", a.url()), ("SERVICE_B_URL", &upstream)];
    let service_a = Service::start(api::a::NAME, databases.guard(), &environment);
    let acknowledged = runtime.block_on(async {
        let acknowledged = load::open_loop(service_a.address, &Request::message(), COUNT, INTERVAL).await;
        let deadline = Instant::now() + PATIENCE;
        while tap.applied().len() < COUNT {
            assert!(Instant::now() < deadline, "{} of {COUNT} arrived at B", tap.applied().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        acknowledged
    });
    let applied: HashMap<Uuid, Instant> = tap.applied().into_iter().collect();
    assert_eq!(applied.len(), COUNT, "an event that was new to B twice");
    report(figures, kind, &acknowledged, &applied);
    // A first: it keeps connections to the relay.
    service_a.stop();
    service_b.stop();
}

fn report(figures: &Figures, kind: Kind, acknowledged: &[Acknowledged], applied: &HashMap<Uuid, Instant>) {
    let times = |from: fn(&Acknowledged) -> Instant| {
        let mut times: Vec<Duration> =
            acknowledged.iter().map(|one| applied[&one.id].saturating_duration_since(from(one))).collect();
        times.sort_unstable();
        times
    };
    let mut answers: Vec<Duration> = acknowledged.iter().map(|one| one.at - one.due).collect();
    answers.sort_unstable();
    tell(figures, &format!("{kind}, 500/s: 202 received -> B's 201 seen"), &times(|one| one.at));
    tell(figures, &format!("{kind}, 500/s: request due -> B's 201 seen"), &times(|one| one.due));
    tell(figures, &format!("{kind}, 500/s: request due -> 202 received"), &answers);
}

fn tell(figures: &Figures, what: &str, sorted: &[Duration]) {
    for (name, at) in [("p50", sorted.len() / 2), ("p99", sorted.len() * 99 / 100), ("max", sorted.len() - 1)] {
        figures.report(&format!("{what}, {name}"), sorted[at].as_secs_f64() * 1e3, "ms");
    }
}
