//! A commit that the kernel interrupts half way: `SQLite` gets an error of its write, and nobody can say what of it is
//! in the log.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use database::Error;
use database::sqlite::rusqlite::Connection;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::store::{Dir, Write, row, sqlite, until};

/// Set in the process whose files are limited: the database's file.
const ROLE: &str = "DATABASE_TEST_LIMITED";

/// Less than the row that is written then.
const ROOM: u64 = 10_000;

/// Not a test of its own, but what the process of the next one runs: with the variable unset there is nothing to do.
#[tokio::test]
async fn a_process_with_limited_files() {
    let Ok(file) = std::env::var(ROLE) else { return };
    let db = sqlite(Path::new(&file)).opened().await;
    for id in 0..20 {
        db.write(row(id)).await.unwrap();
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    let log = fs::metadata(format!("{file}-wal")).unwrap().len();
    setrlimit(Resource::RLIMIT_FSIZE, log + ROOM, hard).unwrap();
    let outcome = db.write(Write::Row { id: 100, body: "x".repeat(60_000) }).await;
    assert!(matches!(&outcome, Err(Error::Unknown { detail }) if detail.contains("disk I/O error")), "{outcome:?}");
    until("what was acknowledged can be read", async || db.ids().await == Ok((0..20).collect())).await;

    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    until("it is used again", async || db.write(row(200)).await.is_ok()).await;
    assert_eq!(db.ids().await, Ok((0..20).chain([200]).collect()));
    db.close().await;
}

#[tokio::test]
async fn a_commit_that_fails_half_way_is_told_as_not_known_and_loses_nothing_that_was_acknowledged() {
    let dir = Dir::new();
    // A file that would grow too large ends the process, unless the signal is ignored; a program inherits that.
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; exec "$0" --exact limit::a_process_with_limited_files --nocapture"#])
        .arg(std::env::current_exe().unwrap())
        .env(ROLE, dir.file())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "signal {:?}: {told}", output.status.signal());

    let opened = Connection::open(dir.file()).unwrap();
    let state: String = opened.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(state, "ok");
    let ids: Vec<i64> = opened
        .prepare("SELECT id FROM messages ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(ids, (0..20).chain([200]).collect::<Vec<_>>());
}
