//! Counting what others do in a window of time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::UsageWho;

use super::cpu;
use crate::figures::cpu_of;

/// Connections fill, pages are allocated, the first commits are slow: not counted.
const WARM_UP: Duration = Duration::from_millis(700);
const WINDOW: Duration = Duration::from_secs(3);

/// Work under way: what of it is done, and whether it is to end.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    done: AtomicU64,
    enough: AtomicBool,
}

/// A window of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    /// CPU time of the service, for one operation.
    pub(crate) cpu: Duration,
    /// CPU time of the database's own processes, for one operation.
    pub(crate) database_cpu: Duration,
    /// CPU time of this process, for one operation.
    pub(crate) own_cpu: Duration,
}

impl Progress {
    pub(crate) fn add(&self, done: u64) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    pub(crate) fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Runs `work` on a thread of its own until the window is over, and counts what it did in it.
pub(crate) fn counted(service: Option<u32>, database: Option<u32>, work: impl FnOnce(&Progress) + Send) -> Rate {
    let progress = Progress::default();
    let cpu = || [cpu::of_tree(service), cpu::of_tree(database), cpu_of(UsageWho::RUSAGE_SELF)];
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| work(&progress));
        std::thread::sleep(WARM_UP);
        let (before, spent, started) = (progress.done(), cpu(), Instant::now());
        std::thread::sleep(WINDOW);
        let (done, elapsed, now) = (progress.done() - before, started.elapsed(), cpu());
        progress.enough.store(true, Ordering::Relaxed);
        worker.join().expect("the work ended well");
        assert!(done > 0, "nothing was done in {WINDOW:?}");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let done = done as f64;
        let each = |k: usize| now[k].saturating_sub(spent[k]).div_f64(done);
        Rate { per_second: done / elapsed.as_secs_f64(), cpu: each(0), database_cpu: each(1), own_cpu: each(2) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_window_counts() {
        let rate = counted(None, None, |progress| {
            while !progress.is_enough() {
                std::thread::sleep(Duration::from_millis(10));
                progress.add(10);
            }
        });

        assert!((500.0..=1000.0).contains(&rate.per_second), "{rate:?}");
    }
}
