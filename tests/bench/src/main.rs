//! `make bench`: the figures the project promises, each measured beside what it is compared with, in turn, in one run.
//!
//! Machines are noisy: what counts are medians, ratios and CPU time. A figure past its bound makes the run fail.
//! `bench NAME…` takes some measures only; all but `local` and `messages` need a cluster.
#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

mod call;
mod deploy;
mod figures;
mod local;
mod memory;
mod messages;
mod start;

use std::process::ExitCode;

use figures::Figures;

type Measure = fn(&mut Figures);

fn main() -> ExitCode {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let mut figures = Figures::default();
    // First: the peak memory of child processes is a high-water mark over all of them.
    let all: [(&str, Measure); 6] = [
        ("start", start::measure),
        ("memory", memory::measure),
        ("call", call::measure),
        ("deploy", deploy::measure),
        ("local", local::measure),
        ("messages", messages::measure),
    ];
    let unknown = |given: &&String| all.iter().all(|(name, _)| name != *given);
    if let Some(unknown) = only.iter().find(unknown) {
        println!("no measure {unknown:?}; there are {:?}", all.map(|(name, _)| name));
        return ExitCode::from(2);
    }
    for (name, measure) in all {
        if only.is_empty() || only.iter().any(|only| only == name) {
            println!("# {name}");
            measure(&mut figures);
        }
    }
    figures.verdict()
}
