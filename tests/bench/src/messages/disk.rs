//! What a sync of the disk costs that the databases are on: no commit is cheaper.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use crate::figures::{Figures, median_ms};

const SYNCS: usize = 200;

/// Figures of databases in memory would say nothing.
pub(crate) fn require(folder: &Path) {
    let kind = statfs(folder).expect("the folder's file system").filesystem_type();
    assert!(kind != TMPFS_MAGIC, "{} is in memory, where a sync costs nothing: set TMPDIR", folder.display());
}

/// Appends 4 KiB at a time to a file, each with its own fdatasync, as a write-ahead log does.
pub(crate) fn report_sync(figures: &Figures, folder: &Path, when: &str) {
    let path = folder.join("sync");
    let mut file = File::create(&path).expect("a file to sync");
    let mut times: Vec<Duration> = (0..SYNCS).map(|_| synced(&mut file)).collect();
    fs::remove_file(&path).expect("the file to be removed");
    times.sort_unstable();
    let what = "fdatasync of 4 KiB appended";
    figures.report(&format!("{what}, median, {when}"), median_ms(times.iter().copied()), "ms");
    figures.report(&format!("{what}, p99, {when}"), times[SYNCS * 99 / 100].as_secs_f64() * 1e3, "ms");
}

fn synced(file: &mut File) -> Duration {
    file.write_all(&[7; 4096]).expect("a written file");
    let started = Instant::now();
    file.sync_data().expect("a synced file");
    started.elapsed()
}
