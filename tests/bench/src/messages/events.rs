//! Events that B applies a second, beside the same statements without a service around them.

use super::databases::{Databases, Kind};
use super::load::{self, CLIENTS, Request};
use super::rate::{Rate, counted};
use super::service::Service;
use super::{ROUNDS, bare, in_turn, median, report_cpu};
use crate::figures::Figures;

pub(crate) fn measure(figures: &mut Figures, databases: &Databases, kind: Kind) {
    let rounds = in_turn(ROUNDS, || bare::events(databases, kind), || through_b(databases, kind));
    let per_second = |of: fn(&(Rate, Rate)) -> Rate| median(rounds.iter().map(|round| of(round).per_second));
    figures.report(&format!("{kind}: events applied, {CLIENTS} clients"), per_second(|round| round.1), "/s");
    figures.report(&format!("{kind}: bare, {}", bare::shape(kind, bare::SHARING)), per_second(|round| round.0), "/s");
    let ratio = median(rounds.iter().map(|(bare, ours)| ours.per_second / bare.per_second));
    figures.report(&format!("{kind}: events / bare, median of {ROUNDS} rounds"), ratio, "");
    let (bare, ours): (Vec<_>, Vec<_>) = rounds.into_iter().unzip();
    report_cpu(figures, &format!("{kind}, events"), "B", &ours);
    report_cpu(figures, &format!("{kind}, bare events"), "", &bare);
}

fn through_b(databases: &Databases, kind: Kind) -> Rate {
    let database = databases.fresh(kind);
    let service = Service::start(api::b::NAME, databases.guard(), &[("DATABASE_URL", database.url())]);
    let rate = counted(Some(service.pid()), databases.pid(kind), |progress| {
        load::closed_loop(service.address, &Request::event(), progress);
    });
    service.stop();
    rate
}
