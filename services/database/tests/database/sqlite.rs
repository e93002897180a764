//! The troubles of a file.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use database::Error;
use database::sqlite::rusqlite::Connection;

use crate::disk::{Disk, filled};
use crate::store::{Db, Dir, row, sqlite, until};

fn detail(outcome: Result<usize, Error>) -> String {
    match outcome {
        Err(Error::Unavailable { detail }) => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_and_is_noticed_when_it_has_room_again() {
    let dir = Dir::new();
    let Some(disk) = Disk::mount(dir.path(), "4m") else { return };
    let db = sqlite(&dir.file()).opened().await;
    let full = filled(&db, &disk).await;
    assert!(detail(Err(full)).contains("is full"));
    db.close().await;
}

#[tokio::test]
async fn a_file_that_can_not_be_written_is_told_and_used_once_it_can() {
    let dir = Dir::new();
    let Some(disk) = Disk::mount(dir.path(), "4m") else { return };
    let db = sqlite(&dir.file()).opened().await;
    db.write(row(1)).await.unwrap();
    db.close().await;
    disk.remount("ro");

    let db = sqlite(&dir.file());
    until("it is told", async || detail(db.write(row(2)).await).contains("ead-only")).await;
    disk.remount("rw");
    until("it is used", async || db.write(row(2)).await.is_ok()).await;
    assert_eq!(db.ids().await, Ok(vec![1, 2]));
    db.close().await;
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_told_and_used_once_it_is_free() {
    let dir = Dir::new();
    let db = sqlite(&dir.file()).opened().await;
    let other = Connection::open(dir.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let started = Instant::now();
    let told = detail(db.write(row(1)).await);
    assert!(told.contains("locked by another program") || told.contains("did not take the write"), "{told}");
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
    assert_eq!(db.ids().await, Ok(vec![]), "reads go on");

    other.execute_batch("ROLLBACK").unwrap();
    until("it is used", async || db.write(row(2)).await.is_ok()).await;
    assert_eq!(db.ids().await, Ok(vec![2]), "what was refused was not written");
}

#[tokio::test]
async fn a_process_that_hangs_with_the_lock_holds_callers_up_for_five_seconds_at_most() {
    let dir = Dir::new();
    let db = sqlite(&dir.file()).opened().await;
    let lock = File::open(dir.path().join("a.sqlite3.lock")).unwrap();
    lock.lock().unwrap();

    let told = detail(db.write(row(1)).await);
    assert!(told.contains("did not take the write"), "{told}");
    lock.unlock().unwrap();
    until("it is used", async || db.write(row(2)).await.is_ok()).await;
    assert_eq!(db.ids().await, Ok(vec![2]));
}

#[tokio::test]
async fn a_file_that_is_replaced_is_opened_anew() {
    let dir = Dir::new();
    let (file, other) = (dir.file(), dir.path().join("b.sqlite3"));
    let db = sqlite(&file).opened().await;
    db.write(row(1)).await.unwrap();
    let replacement = sqlite(&other).opened().await;
    replacement.write(row(7)).await.unwrap();
    replacement.close().await;
    drop(replacement);

    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{ending}", file.display()));
    }
    fs::rename(&other, &file).unwrap();

    until("it writes to the file that is there", async || db.write(row(8)).await.is_ok()).await;
    assert_eq!(db.ids().await, Ok(vec![7, 8]));
    let seen: i64 =
        Connection::open(&file).unwrap().query_row("SELECT count(*) FROM messages", [], |r| r.get(0)).unwrap();
    assert_eq!(seen, 2);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let dir = Dir::new();
    fs::write(dir.file(), "no database, but long enough for a header of one hundred bytes".repeat(4)).unwrap();
    let db = sqlite(&dir.file());
    until("it is told", async || detail(db.write(row(1)).await).contains("is no SQLite database")).await;

    fs::remove_file(dir.file()).unwrap();
    until("it is made", async || db.write(row(1)).await.is_ok()).await;
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_told_and_used_once_it_is() {
    let dir = Dir::new();
    let below = dir.path().join("below");
    let db = sqlite(&below.join("a.sqlite3"));
    until("it is told", async || detail(db.write(row(1)).await).contains("No such file")).await;
    fs::create_dir(&below).unwrap();
    until("it is used", async || db.write(row(1)).await.is_ok()).await;
    db.close().await;
}

#[tokio::test]
async fn commits_are_synchronous_in_write_ahead_logging() {
    let dir = Dir::new();
    let Db::Sqlite(db) = sqlite(&dir.file()).opened().await else { unreachable!() };
    let modes = db
        .read(crate::store::SELECT, |connection| {
            let text = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, String>(0));
            let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            Ok((text("journal_mode")?, number("synchronous")?, number("foreign_keys")?))
        })
        .await;
    assert_eq!(modes, Ok(("wal".to_owned(), 2, 1)));
    let written = db.read(crate::store::SELECT, |connection| connection.execute("DELETE FROM messages", [])).await;
    assert!(matches!(written, Err(Error::Unavailable { .. })), "the connection for reads writes: {written:?}");
}
