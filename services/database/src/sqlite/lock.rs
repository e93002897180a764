//! The advisory lock that processes of one host queue up on.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Which file a path leads to, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// `None` where nothing is.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self(metadata.dev(), metadata.ino()))
    }
}

/// A file that is locked and has no content. One for each holder: two of one process exclude each other as well.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    open: Option<(File, Identity)>,
}

impl LockFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Waits for the lock. The kernel gives it up with the process, however that ends.
    pub(crate) fn lock(&mut self) -> io::Result<()> {
        loop {
            let (file, identity) = match self.open.take() {
                Some(open) => open,
                None => self.open_file()?,
            };
            lock(&file)?;
            // Someone may have removed the file while we waited, and others hold the lock of a new one.
            if Identity::of(&self.path) == Some(identity) {
                self.open = Some((file, identity));
                return Ok(());
            }
        }
    }

    pub(crate) fn unlock(&mut self) {
        if let Some((file, _)) = &self.open
            && file.unlock().is_err()
        {
            // Closing it gives the lock up too.
            self.open = None;
        }
    }

    /// Closes the file; the next lock opens it again.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    fn open_file(&self) -> io::Result<(File, Identity)> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        let metadata = file.metadata()?;
        Ok((file, Identity(metadata.dev(), metadata.ino())))
    }
}

fn lock(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_holder_at_a_time_even_when_the_file_is_removed_meanwhile() {
        let path = std::env::temp_dir().join(format!("database-lock-{}", std::process::id()));
        let holders = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (path, holders) = (path.clone(), Arc::clone(&holders));
                std::thread::spawn(move || {
                    let mut lock = LockFile::new(path.clone());
                    for round in 0..200 {
                        lock.lock().unwrap();
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1);
                        // The last thing that is done under the lock: from here on the next may hold a new one.
                        if number == 0 && round % 10 == 0 {
                            std::fs::remove_file(&path).unwrap();
                        }
                        lock.unlock();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let _ = std::fs::remove_file(&path);
    }
}
