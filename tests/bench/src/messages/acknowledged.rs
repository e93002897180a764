//! Messages that A acknowledges a second, beside the same statements without a service around them.
//!
//! The bare loop is one message a transaction on both databases. On Postgres many connections share a sync in the server; on
//! `SQLite`, which has one writer, nothing does, and what A gains by sharing is most of the ratio. So there A stands beside two
//! more: a bare loop that shares syncs as A does, which no service can come near where a sync is as cheap as the CPU of a
//! request (two cores carry HTTP on both ends besides), and the [`least`] service, which shows how near: what A does beyond it
//! is what is ours to keep small.

use super::batches::Batches;
use super::databases::{Databases, Kind};
use super::load::{self, CLIENTS, Request};
use super::rate::{Rate, counted};
use super::service::Service;
use super::{NO_LIMIT, PAUSED, ROUNDS, bare, in_turn, least, median, report_cpu};
use crate::figures::Figures;

/// Of a bare loop.
const BOUND: f64 = 0.7;
/// Of a bare loop that shares syncs; the least service has 0.42 to 0.46 of it.
const BOUND_OF_SHARING: f64 = 0.25;
/// Of the least service: it reads nothing of a request, traces nothing and hands nothing to an engine.
const BOUND_OF_LEAST: f64 = 0.55;

pub(crate) fn measure(figures: &mut Figures, databases: &Databases, kind: Kind) {
    let mut batches = Vec::new();
    let through_a = || {
        let (rate, of_round) = through_a(databases, kind);
        batches.push(of_round);
        rate
    };
    let rounds = in_turn(ROUNDS, || bare::messages(databases, kind), through_a);
    let (bare, ours): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    rate(figures, &format!("{kind}: 202s, {CLIENTS} clients, deliveries paused"), &ours);
    rate(figures, &format!("{kind}: bare, {}", bare::shape(kind, 1)), &bare);
    figures.at_least(&format!("{kind}: 202s / bare, median of {ROUNDS} rounds"), ratio(&ours, &bare), BOUND, "");
    Batches::report(figures, kind, &batches);
    report_cpu(figures, &format!("{kind}, 202s"), "A", &ours);
    report_cpu(figures, &format!("{kind}, bare"), "", &bare);
    if kind == Kind::Sqlite {
        with_shared_syncs(figures, databases, &ours);
    }
}

/// What stands beside A on `SQLite` besides: see above.
fn with_shared_syncs(figures: &mut Figures, databases: &Databases, ours: &[Rate]) {
    let kind = Kind::Sqlite;
    let rounds = in_turn(ROUNDS, || bare::messages_sharing(databases), || least::messages(databases));
    let (bare, least): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    rate(figures, &format!("{kind}: bare, {}", bare::shape(kind, bare::SHARING)), &bare);
    rate(figures, &format!("{kind}: the least service, {CLIENTS} clients"), &least);
    figures.at_least(&format!("{kind}: 202s / bare with shared syncs"), ratio(ours, &bare), BOUND_OF_SHARING, "");
    figures.report(&format!("{kind}: the least service / bare with shared syncs"), ratio(&least, &bare), "");
    figures.at_least(&format!("{kind}: 202s / the least service"), ratio(ours, &least), BOUND_OF_LEAST, "");
    report_cpu(figures, &format!("{kind}, bare with shared syncs"), "", &bare);
    report_cpu(figures, &format!("{kind}, the least service"), "", &least);
}

fn rate(figures: &Figures, name: &str, rates: &[Rate]) {
    figures.report(name, median(rates.iter().map(|rate| rate.per_second)), "/s");
}

/// Round by round.
fn ratio(ours: &[Rate], theirs: &[Rate]) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ours.per_second / theirs.per_second))
}

fn through_a(databases: &Databases, kind: Kind) -> (Rate, Batches) {
    let database = databases.fresh(kind);
    let environment = [PAUSED, NO_LIMIT, ("DATABASE_URL", database.url())];
    let service = Service::start(api::a::NAME, databases.guard(), &environment);
    let rate = counted(Some(service.pid()), databases.pid(kind), |progress| {
        load::closed_loop(service.address, &Request::message(), progress);
    });
    let batches = Batches::of(&service.metrics());
    service.stop();
    (rate, batches)
}
