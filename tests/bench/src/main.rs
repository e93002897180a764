//! `make bench`: the figures the project promises, each measured beside what it is compared with, in turn, in one run.
//!
//! Machines are noisy: what counts are medians, ratios and CPU time. A figure past its bound makes the run fail.
#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

mod call;
mod deploy;
mod figures;
mod memory;
mod start;

use std::process::ExitCode;

use figures::Figures;

type Measure = fn(&mut Figures);

fn main() -> ExitCode {
    let only = std::env::args().nth(1);
    let mut figures = Figures::default();
    // First: the peak memory of child processes is a high-water mark over all of them.
    let all: [(&str, Measure); 4] =
        [("start", start::measure), ("memory", memory::measure), ("call", call::measure), ("deploy", deploy::measure)];
    for (name, measure) in all {
        if only.as_deref().is_none_or(|only| only == name) {
            println!("# {name}");
            measure(&mut figures);
        }
    }
    figures.verdict()
}
