//! Messages that A acknowledges a second, beside the same statements without a service around them.

use super::batches::Batches;
use super::databases::{Databases, Kind};
use super::load::{self, CLIENTS, Request};
use super::rate::{Rate, counted};
use super::service::Service;
use super::{NO_LIMIT, PAUSED, ROUNDS, bare, in_turn, median, report_cpu};
use crate::figures::Figures;

const BOUND: f64 = 0.7;

pub(crate) fn measure(figures: &mut Figures, databases: &Databases, kind: Kind) {
    let mut batches = Vec::new();
    let through_a = || {
        let (rate, of_round) = through_a(databases, kind);
        batches.push(of_round);
        rate
    };
    let rounds = in_turn(ROUNDS, || bare::messages(databases, kind), through_a);
    let per_second = |of: fn(&(Rate, Rate)) -> Rate| median(rounds.iter().map(|round| of(round).per_second));
    figures.report(&format!("{kind}: 202s, {CLIENTS} clients, deliveries paused"), per_second(|round| round.1), "/s");
    figures.report(&format!("{kind}: bare, {}", bare::shape(kind)), per_second(|round| round.0), "/s");
    let ratio = median(rounds.iter().map(|(bare, ours)| ours.per_second / bare.per_second));
    figures.at_least(&format!("{kind}: 202s / bare, median of {ROUNDS} rounds"), ratio, BOUND, "");
    if kind == Kind::Sqlite {
        // As of Postgres, where every message has its own transaction; there the server lets them share a sync.
        let alone: Vec<_> = (0..ROUNDS).map(|_| bare::messages_one_by_one(databases).per_second).collect();
        figures.report(&format!("{kind}: bare, 1 connection, 1 a transaction"), median(alone.into_iter()), "/s");
    }
    Batches::report(figures, kind, &batches);
    let (bare, ours): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    report_cpu(figures, &format!("{kind}, 202s"), "A", &ours);
    report_cpu(figures, &format!("{kind}, bare"), "", &bare);
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
