//! Local mode: how long a service takes from its start to ready, its database's migrations included, and `msctl up` to all
//! ready. Fresh files each time, on this machine alone.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::http::ask;
use e2e::scenario::msctl_path;
use e2e::{Project, ports};

use crate::figures::{Figures, median_ms, ms};

const ROUNDS: usize = 20;

/// Beyond it nothing was measured: it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn measure(figures: &mut Figures) {
    let (mut a, mut b, mut up) = (Vec::new(), Vec::new(), Vec::new());
    let project = Project::of_a_and_b("bench", 1);
    // In turn, so that whatever else the machine does is the same to all.
    for _ in 0..ROUNDS {
        a.push(start("service-a", &project.folder));
        b.push(start("service-b", &project.folder));
        let started = Instant::now();
        project.up();
        up.push(started.elapsed());
        project.msctl(&["down", "--volumes"]).ok();
    }
    for (name, samples) in [("service-a", &a), ("service-b", &b)] {
        figures.at_most(
            &format!("{name}, process start to ready, median"),
            median_ms(samples.iter().copied()),
            50.0,
            "ms",
        );
        figures.report(
            &format!("{name}, process start to ready, worst"),
            samples.iter().copied().max().map_or(0.0, ms),
            "ms",
        );
    }
    figures.at_most("msctl up --detach, A and B, to all ready, median", median_ms(up.iter().copied()), 300.0, "ms");
    figures.report("msctl up --detach, A and B, to all ready, worst", up.iter().copied().max().map_or(0.0, ms), "ms");
}

/// From before the process is made until `/readyz` says yes; its database file is made and migrated in between.
fn start(service: &str, folder: &Path) -> Duration {
    let (port, admin, file) = (ports::free(), ports::free(), folder.join("bench.sqlite3"));
    let mut command = Command::new(msctl_path().with_file_name(service));
    command
        .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
        .env("ADMIN_ADDR", format!("127.0.0.1:{admin}"))
        .env("DATABASE_URL", format!("sqlite://{}", file.display()))
        .env("DRAIN_DELAY", "0s")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let process = Ended(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")));
    let admin = ([127, 0, 0, 1], admin).into();
    while !ask(admin, "GET /readyz", &[], "").is_ok_and(|answer| answer.status == 200) {
        assert!(started.elapsed() < PATIENCE, "{service} does not become ready");
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = started.elapsed();
    drop(process);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("bench.sqlite3{end}")));
    }
    took
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
