//! Locks that the kernel takes from whoever dies.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a guard may take to end what its supervisor left.
const GUARD: Duration = Duration::from_secs(10);

/// Somebody who only removes the folder, or looks whether it is held, has it for a moment.
const MOMENT: Duration = Duration::from_millis(200);

/// Takes the lock; none when somebody else keeps it.
pub(super) async fn take(path: &Path) -> io::Result<Option<File>> {
    locked(path, MOMENT).await
}

/// Whether nobody holds the lock, now or after a while.
pub(super) async fn wait_free(path: &Path) -> io::Result<bool> {
    Ok(locked(path, GUARD).await?.is_some())
}

async fn locked(path: &Path, patience: Duration) -> io::Result<Option<File>> {
    // Closed on exec, as all that std opens: no child holds it.
    let open = || File::options().create(true).truncate(false).write(true).open(path);
    let mut file = open()?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) if is_at(&file, path)? => return Ok(Some(file)),
            // Removed, with its folder, while it was waited for: a lock on it keeps nobody out.
            Ok(()) => file = open()?,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(Duration::from_millis(2)).await,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    Ok(std::fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino())))
}
