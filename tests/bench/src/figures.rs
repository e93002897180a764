//! Collecting samples and judging their medians.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// The figures of a run and whether each kept its bound.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    breached: Vec<String>,
}

impl Figures {
    /// Prints a figure that has no bound of its own.
    #[expect(clippy::unused_self, reason = "reads like its sibling that judges")]
    pub(crate) fn report(&self, name: &str, value: f64, unit: &str) {
        println!("{name:<64} {value:>9.2} {unit}");
    }

    /// Prints a figure and notes it when it is over `bound`.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, bound: f64, unit: &str) {
        let kept = value <= bound;
        println!("{name:<64} {value:>9.2} {unit:<4} (at most {bound}) {}", if kept { "ok" } else { "BREACHED" });
        if !kept {
            self.breached.push(format!("{name}: {value:.2} {unit}, at most {bound}"));
        }
    }

    /// Prints a figure and notes it when it is under `bound`.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, bound: f64, unit: &str) {
        let kept = value >= bound;
        println!("{name:<64} {value:>9.2} {unit:<4} (at least {bound}) {}", if kept { "ok" } else { "BREACHED" });
        if !kept {
            self.breached.push(format!("{name}: {value:.2} {unit}, at least {bound}"));
        }
    }

    pub(crate) fn verdict(self) -> ExitCode {
        for breach in &self.breached {
            println!("BREACHED {breach}");
        }
        if self.breached.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// One run of a command: wall time and the CPU time of it and all its children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// Runs `work`, which must wait for every process it starts.
pub(crate) fn sample(work: impl FnOnce()) -> Sample {
    let (cpu, started) = (children_cpu(), Instant::now());
    work();
    Sample { wall: started.elapsed(), cpu: children_cpu().saturating_sub(cpu) }
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The median of `values`, in milliseconds.
pub(crate) fn median_ms(values: impl Iterator<Item = Duration>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    ms(values[values.len() / 2])
}

/// Peak resident memory over all child processes waited for until now, in MB.
pub(crate) fn children_peak_mb() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage of children");
    #[expect(clippy::cast_precision_loss, reason = "kilobytes of a process fit")]
    let kilobytes = usage.max_rss() as f64;
    kilobytes / 1024.0
}

/// Runs a command to a successful end, its output dropped.
pub(crate) fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

fn children_cpu() -> Duration {
    cpu_of(UsageWho::RUSAGE_CHILDREN)
}

/// User and system time.
pub(crate) fn cpu_of(who: UsageWho) -> Duration {
    let usage = getrusage(who).expect("getrusage");
    [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| {
            Duration::new(time.tv_sec().unsigned_abs(), u32::try_from(time.tv_usec()).expect("below a second") * 1000)
        })
        .sum()
}
