//! How fast A works off what piled up while deliveries were paused.

use std::time::{Duration, Instant};

use super::databases::{Databases, Kind};
use super::load::{self, Request};
use super::service::Service;
use super::{NO_LIMIT, PAUSED, http};
use crate::figures::Figures;

const COUNT: u32 = 20_000;
const PATIENCE: Duration = Duration::from_mins(2);

/// From the start of A's process until B has them all; reading what is undelivered from the database included.
pub(crate) fn measure(figures: &mut Figures, databases: &Databases, kind: Kind) {
    let (a, b) = (databases.fresh(kind), databases.fresh(kind));
    let start = |environment: &[(&str, &str)]| Service::start(api::a::NAME, databases.guard(), environment);
    let paused = start(&[PAUSED, NO_LIMIT, ("DATABASE_URL", a.url())]);
    load::fill(paused.address, &Request::message(), COUNT as usize);
    paused.stop();
    let service_b = Service::start(api::b::NAME, databases.guard(), &[("DATABASE_URL", b.url())]);
    let upstream = format!("http://{}", service_b.address);
    let started = Instant::now();
    let service_a = start(&[("DATABASE_URL", a.url()), ("SERVICE_B_URL", &upstream)]);
    let up = started.elapsed();
    while messages(&service_b) < u64::from(COUNT) {
        assert!(started.elapsed() < PATIENCE, "{} of {COUNT} arrived at B", messages(&service_b));
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = started.elapsed();
    figures.report(&format!("{kind}: start of A with {COUNT} undelivered, until ready"), up.as_secs_f64() * 1e3, "ms");
    figures.report(&format!("{kind}: {COUNT} undelivered, until B has all"), took.as_secs_f64(), "s");
    figures.report(&format!("{kind}: drain rate"), f64::from(COUNT) / took.as_secs_f64(), "/s");
    service_a.stop();
    service_b.stop();
}

fn messages(service_b: &Service<'_>) -> u64 {
    let (status, body) = http::get(service_b.address, api::b::STATS_PATH).expect("B's counts");
    assert_eq!(status, 200, "{body}");
    let counts: api::message::Stats = serde_json::from_str(&body).expect("B's counts");
    counts.messages
}
