//! Several processes with one file.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use database::Error;

use crate::store::{Dir, row, sqlite};

/// Set in a process that is to be one of several: the file, and the process's number.
const ROLE: &str = "DATABASE_TEST_PROCESS";

const PROCESSES: i64 = 5;
const ROWS: i64 = 300;

/// How long a write may wait for the others. Without the lock file it was up to 2 s and more.
const LONGEST: Duration = Duration::from_millis(1500);

/// Not a test of its own, but what the processes of the next one run: with the variable unset there is nothing to do.
#[tokio::test]
async fn one_of_several_processes() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (number, file) = role.split_once(':').unwrap();
    let first = number.parse::<i64>().unwrap() * ROWS;
    let db = sqlite(Path::new(file)).opened().await;
    let mut slowest = Duration::ZERO;
    let writers: Vec<_> = (0..4)
        .map(|part| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut slowest = Duration::ZERO;
                for id in (first + part..first + ROWS).step_by(4) {
                    let started = Instant::now();
                    db.write(row(id)).await.unwrap_or_else(|error: Error| panic!("row {id}: {error}"));
                    slowest = slowest.max(started.elapsed());
                }
                slowest
            })
        })
        .collect();
    for writer in writers {
        slowest = slowest.max(writer.await.unwrap());
    }
    assert!(slowest < LONGEST, "the slowest write of process {number} took {slowest:?}");
    db.close().await;
}

#[tokio::test]
async fn five_processes_open_a_fresh_file_at_once_and_none_starves() {
    for round in 0..4 {
        let dir = Dir::new();
        let children: Vec<_> = (0..PROCESSES).map(|number| start(number, &dir.file())).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "round {round}: {told} {}", String::from_utf8_lossy(&output.stderr));
        }
        let ids = sqlite(&dir.file()).opened().await.ids().await;
        assert_eq!(ids, Ok((0..PROCESSES * ROWS).collect()));
    }
}

fn start(number: i64, file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::one_of_several_processes", "--nocapture"])
        .env(ROLE, format!("{number}:{}", file.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
