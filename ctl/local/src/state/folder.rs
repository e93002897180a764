//! The folder itself: made, checked to be the user's own, and removed.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::geteuid;

use super::Keep;

/// What is ours in it, but for what may be kept. The lock comes last: it is held by who removes.
const OURS: [&str; 7] = ["logs", "control.sock", "up.json", "up.json.part", "up.log", "guard.lock", "lock"];

const IGNORE: &str = ".gitignore";

/// The folders and `.gitignore`; an error names what could not be made.
pub(super) fn prepare(path: &Path) -> Result<(), (String, io::Error)> {
    let named = |path: &Path, error| (path.display().to_string(), error);
    make(path).and_then(|()| check(path)).map_err(|error| named(path, error))?;
    // One that was made by other means may be open to others.
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|error| named(path, error))?;
    for folder in [path.join("logs"), path.join("data")] {
        make(&folder).map_err(|error| named(&folder, error))?;
        if !folder.is_dir() {
            return Err(named(&folder, io::ErrorKind::NotADirectory.into()));
        }
    }
    let ignore = path.join(IGNORE);
    if ignore.exists() {
        return Ok(());
    }
    fs::write(&ignore, "*\n").map_err(|error| (IGNORE.to_owned(), error))
}

fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Refuses what is not a folder of this user's. Of the name itself: a link leads to what is not a project's state.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let refused = |problem: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    if found.is_symlink() {
        return refused("it is a symbolic link; it has to be a folder");
    }
    if !found.is_dir() {
        return refused("it is no folder");
    }
    if found.uid() != geteuid().as_raw() {
        return refused("it belongs to another user");
    }
    Ok(())
}

/// Removes what is ours. What is not stays, and the folder with it.
pub(super) fn clear(path: &Path, keep: Keep) -> io::Result<()> {
    let data = path.join("data");
    // Nothing in it is worth a folder that is left.
    let keeps_data = keep == Keep::Data && fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some());
    if !keeps_data {
        remove(&data)?;
    }
    for name in OURS {
        remove(&path.join(name))?;
    }
    let left = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    if left.iter().any(|entry| entry.file_name() != IGNORE) {
        return Ok(());
    }
    remove(&path.join(IGNORE))?;
    fs::remove_dir(path)
}

/// Whatever has this name; of a link, the link.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
