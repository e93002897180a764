//! What a service says of its own commits.

use super::databases::Kind;
use super::median;
use crate::figures::Figures;

/// Means over the life of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batches {
    /// Rows a commit.
    rows: f64,
    /// Milliseconds a commit, its statements included.
    milliseconds: f64,
}

impl Batches {
    /// From the text of its metrics.
    pub(crate) fn of(metrics: &str) -> Self {
        Self {
            rows: mean(metrics, "database_batch_writes"),
            milliseconds: mean(metrics, "database_commit_seconds") * 1e3,
        }
    }

    pub(crate) fn report(figures: &Figures, kind: Kind, rounds: &[Self]) {
        figures.report(&format!("{kind}: writes a commit, mean"), median(rounds.iter().map(|round| round.rows)), "");
        figures.report(&format!("{kind}: a commit, mean"), median(rounds.iter().map(|round| round.milliseconds)), "ms");
    }
}

/// Of a histogram, over all of its labels.
fn mean(metrics: &str, name: &str) -> f64 {
    sum(metrics, &format!("{name}_sum")) / sum(metrics, &format!("{name}_count"))
}

fn sum(metrics: &str, name: &str) -> f64 {
    let series = metrics.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with([' ', '{']));
    series.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_taken_over_all_labels_and_of_no_other_metric() {
        let metrics = "x_sum{a=\"b c\"} 6.0\nx_count{a=\"b c\"} 2\nx_sum 4\nx_count 3\nx_sums 9\nx_created 5";

        assert!((mean(metrics, "x") - 2.0).abs() < 1e-9);
    }
}
