//! Messages: what is acknowledged, delivered and applied, beside the same statements without a service around them.
//!
//! Needs no cluster: A and B are processes of this machine, their databases `SQLite` and a private Postgres, both on a
//! disk with every sync made. The load shares the machine's cores with what it loads, as does the bare loop with its
//! database: ratios of one run are what counts.

mod acknowledged;
mod bare;
mod batches;
mod connect;
mod cpu;
mod databases;
mod disk;
mod drain;
mod end_to_end;
mod events;
mod fill;
mod http;
mod least;
mod load;
mod million;
mod rate;
mod service;
mod sink;
mod tap;

use std::time::Duration;

use rate::Rate;

use crate::figures::Figures;
use databases::Databases;

const ROUNDS: usize = 5;
/// A takes messages and delivers none.
const PAUSED: (&str, &str) = ("DELIVERY", "paused");
/// What piles up while deliveries are paused is not what is measured.
const NO_LIMIT: (&str, &str) = ("OUTBOX_LIMIT", "100000000");

pub(crate) fn measure(figures: &mut Figures) {
    service::build();
    let databases = Databases::new();
    disk::report_sync(figures, databases.folder(), "before");
    for kind in databases.kinds() {
        acknowledged::measure(figures, &databases, kind);
        end_to_end::measure(figures, &databases, kind);
        drain::measure(figures, &databases, kind);
        events::measure(figures, &databases, kind);
        million::measure(figures, &databases, kind);
    }
    disk::report_sync(figures, databases.folder(), "after");
}

/// Runs both `rounds` times, each time in the other order: what one leaves behind is the other's burden as often.
fn in_turn<A, B>(rounds: usize, mut first: impl FnMut() -> A, mut second: impl FnMut() -> B) -> Vec<(A, B)> {
    let both = |round: usize| {
        if round.is_multiple_of(2) {
            let one = first();
            (one, second())
        } else {
            let other = second();
            (first(), other)
        }
    };
    (0..rounds).map(both).collect()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What an operation cost each of those who had a part in it.
fn report_cpu(figures: &Figures, what: &str, named: &str, rates: &[Rate]) {
    let tell = |who: &str, of: fn(&Rate) -> Duration| {
        let microseconds = median(rates.iter().map(|rate| of(rate).as_secs_f64() * 1e6));
        if microseconds > 0.0 {
            figures.report(&format!("{what}: CPU of {who}, each"), microseconds, "us");
        }
    };
    tell(named, |rate| rate.cpu);
    tell("Postgres", |rate| rate.database_cpu);
    tell("this program", |rate| rate.own_cpu);
}
