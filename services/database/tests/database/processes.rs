//! Several processes with one file.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use database::Error;

use crate::store::{Dir, Write, sqlite};

/// Set in a process that is to be one of several: the file, and the process's number.
const ROLE: &str = "DATABASE_TEST_PROCESS";

const PROCESSES: i64 = 12;
const ROWS: i64 = 400;
/// Large enough for each commit to take its time.
const BODY: usize = 50_000;

/// What a process prints of its slowest write, in microseconds.
const SLOWEST: &str = "slowest write: ";

/// The part of the whole time that a write may wait for the others. With the lock file it was 2 to 7 hundredths, and
/// without it 31 to 88.
const PART: u32 = 4;

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
                    let write = Write::Row { id, body: "x".repeat(BODY) };
                    db.write(write).await.unwrap_or_else(|error: Error| panic!("row {id}: {error}"));
                    slowest = slowest.max(started.elapsed());
                }
                slowest
            })
        })
        .collect();
    for writer in writers {
        slowest = slowest.max(writer.await.unwrap());
    }
    db.close().await;
    tell(slowest);
}

#[expect(clippy::print_stdout, reason = "it is what the process is asked")]
fn tell(slowest: Duration) {
    println!("{SLOWEST}{}", slowest.as_micros());
}

#[tokio::test]
async fn many_processes_open_a_fresh_file_at_once_and_none_starves() {
    for _ in 0..3 {
        let dir = Dir::new();
        let started = Instant::now();
        let children: Vec<_> = (0..PROCESSES).map(|number| start(number, &dir.file())).collect();
        // All of them, so that none is left when one has failed.
        let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let all = started.elapsed();
        for output in outputs {
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stderr));
            let slowest = told.lines().find_map(|line| line.strip_prefix(SLOWEST)).unwrap().parse().unwrap();
            let slowest = Duration::from_micros(slowest);
            assert!(slowest < all / PART, "{slowest:?} of {all:?} for one write");
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
