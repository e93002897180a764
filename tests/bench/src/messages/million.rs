//! A million messages delivered before must not slow the next one.

use std::time::{Duration, Instant};

use super::databases::{Databases, Fresh, Kind};
use super::load::{self, Request};
use super::service::Service;
use super::sink::Sink;
use super::{NO_LIMIT, PAUSED, fill, in_turn, median};
use crate::figures::Figures;

const BEFORE: usize = 1_000_000;
const BOUND: f64 = 1.2;
const ROUNDS: usize = 5;
const COUNT: usize = 10_000;
const PATIENCE: Duration = Duration::from_mins(2);

/// One message's share of the time, to insert it and to claim and deliver it.
#[derive(Clone, Copy, Debug)]
struct Round {
    insert: Duration,
    deliver: Duration,
}

pub(crate) fn measure(figures: &mut Figures, databases: &Databases, kind: Kind) {
    let full = databases.migrated(kind, api::a::NAME);
    let started = Instant::now();
    fill::delivered(&full, kind, BEFORE);
    figures.report(
        &format!("{kind}: {BEFORE} delivered messages written by hand"),
        started.elapsed().as_secs_f64(),
        "s",
    );
    let rounds =
        in_turn(ROUNDS, || round(databases, &databases.migrated(kind, api::a::NAME)), || round(databases, &full));
    let mut compare = |what: &str, of: fn(&Round) -> Duration| {
        let each = |of: &dyn Fn(&(Round, Round)) -> f64| median(rounds.iter().map(of));
        let (empty, full) = (each(&|r| of(&r.0).as_secs_f64() * 1e6), each(&|r| of(&r.1).as_secs_f64() * 1e6));
        figures.report(&format!("{kind}: {what}, empty database, each"), empty, "us");
        figures.report(&format!("{kind}: {what}, {BEFORE} delivered before, each"), full, "us");
        let ratio = each(&|r| of(&r.1).as_secs_f64() / of(&r.0).as_secs_f64());
        figures.at_most(&format!("{kind}: {what}, full / empty, median of {ROUNDS} rounds"), ratio, BOUND, "");
    };
    compare("insert (202)", |round| round.insert);
    compare("claim and deliver", |round| round.deliver);
}

/// Inserts while deliveries are paused, then lets a new process claim them all; nothing is undelivered at the end. What
/// takes them answers at once, so that the time is A's.
fn round(databases: &Databases, database: &Fresh) -> Round {
    let start = |environment: &[(&'static str, &str)]| {
        let all = [environment, &[NO_LIMIT, ("DATABASE_URL", database.url())]].concat();
        Service::start(api::a::NAME, databases.guard(), &all)
    };
    let paused = start(&[PAUSED]);
    let started = Instant::now();
    load::fill(paused.address, &Request::message(), COUNT);
    let insert = each(started);
    paused.stop();
    let runtime = load::runtime();
    let sink = runtime.block_on(Sink::open());
    let upstream = format!("http://{}", sink.address);
    let active = start(&[("SERVICE_B_URL", &upstream)]);
    let started = Instant::now();
    runtime.block_on(async {
        while sink.received() < COUNT {
            assert!(started.elapsed() < PATIENCE, "{} of {COUNT} were delivered", sink.received());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let deliver = each(started);
    active.stop();
    Round { insert, deliver }
}

fn each(started: Instant) -> Duration {
    started.elapsed() / u32::try_from(COUNT).expect("some thousand")
}
