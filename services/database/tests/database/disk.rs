//! Disks that are full.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;

use database::Error;
use database::postgres::tokio_postgres::{self, NoTls};
use test_postgres::Options;

use crate::store::{Db, Dir, Write, postgres, row};

/// A small file system of memory, which root may mount.
pub(crate) struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// `None`, with the reason printed, where that is not allowed.
    #[expect(clippy::print_stderr, reason = "a test that does not run says so to the person who runs it")]
    pub(crate) fn mount(path: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(path)),
            other => {
                let required = std::env::var_os("CLUSTER").is_some_and(|value| value == "required");
                assert!(!required, "CLUSTER=required, and no small disk can be mounted: {other:?}");
                eprintln!("NOT RUN: it needs root, to mount a small disk: {other:?}");
                None
            }
        }
    }

    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily: what a failed test left open goes with the process.
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

/// SQLSTATE 53100. Without root there is no disk to fill, and no setting of the server gives that error: the nearest,
/// `temp_file_limit`, is 53400.
#[tokio::test]
async fn a_full_disk_of_the_server_is_told_and_loses_nothing_and_is_noticed_when_it_has_room_again() {
    let Some(server) = test_postgres::private(Options::default()) else { return };
    let dir = Dir::new();
    let Some(disk) = Disk::mount(dir.path(), "4m") else { return };
    let owner = std::fs::metadata(server.data().unwrap()).unwrap();
    chown(dir.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
    let database = server.database();
    let (admin, connection) = tokio_postgres::connect(server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    admin.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{}'", dir.path().display())).await.unwrap();
    let name = database.name();
    admin.batch_execute(&format!("ALTER DATABASE {name} SET default_tablespace = small")).await.unwrap();

    let db = postgres(&database.url()).opened().await;
    let full = filled(&db, &disk).await;
    assert!(matches!(&full, Error::Unavailable { detail } if detail.contains("53100")), "{full:?}");
    db.close().await;
}

/// Fills the disk that `db` is on, then gives it room again; what was acknowledged is there at both times. The error of the
/// write that found no room.
pub(crate) async fn filled(db: &Db, disk: &Disk<'_>) -> Error {
    let mut written = Vec::new();
    let full = loop {
        let id = i64::try_from(written.len()).unwrap();
        match db.write(Write::Row { id, body: noise(60_000) }).await {
            Ok(_) => written.push(id),
            Err(error) => break error,
        }
        assert!(written.len() < 200, "4 MB are full by now");
    };
    assert!(!written.is_empty());
    assert_eq!(db.ids().await, Ok(written.clone()), "what was acknowledged is there, and can still be read");

    disk.remount("size=16m");
    let next = 1000;
    db.write(row(next)).await.expect("there is room again");
    written.push(next);
    assert_eq!(db.ids().await, Ok(written));
    full
}

/// Text that can't be compressed.
fn noise(length: usize) -> String {
    std::iter::repeat_with(|| char::from(rand::random_range(b'0'..=b'z'))).take(length).collect()
}
