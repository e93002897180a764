//! What it costs to start msctl at all.

use std::process::Command;

use e2e::scenario::msctl_path;

use crate::figures::{Figures, children_peak_mb, median_ms, must, sample};

const ROUNDS: usize = 51;

pub(crate) fn measure(figures: &mut Figures) {
    let version = || must(Command::new(msctl_path()).arg("--version"));
    let samples: Vec<_> = (0..ROUNDS).map(|_| sample(version)).collect();
    figures.at_most("msctl --version, wall, median", median_ms(samples.iter().map(|s| s.wall)), 5.0, "ms");
    figures.at_most("msctl --version, peak resident memory", children_peak_mb(), 10.0, "MB");
    let samples: Vec<_> =
        (0..ROUNDS / 5).map(|_| sample(|| must(Command::new("kubectl").args(["version", "--client"])))).collect();
    figures.report("kubectl version --client, wall, median", median_ms(samples.iter().map(|s| s.wall)), "ms");
}
