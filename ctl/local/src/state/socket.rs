//! The control socket: the user's own only.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::unistd::getuid;

/// `sun_path` of unix(7) holds 108 bytes, the last of them a NUL.
const LONGEST: usize = 107;

/// In the state folder; when that path is too long, in a folder of the user's own.
pub(super) fn path(state: &Path) -> io::Result<PathBuf> {
    let own = state.join("control.sock");
    if fits(&own) {
        return Ok(own);
    }
    // Not a secret, and need not last: a name of its own for each project of this user's.
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    let name = format!("msctl-{:016x}.sock", hasher.finish());
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join(&name));
    if let Some(path) = runtime.filter(|path| fits(path) && path.parent().is_some_and(Path::is_dir)) {
        return Ok(path);
    }
    Ok(private_folder()?.join(name))
}

fn fits(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() <= LONGEST
}

/// `/tmp/msctl-UID`, refused when another user made it.
fn private_folder() -> io::Result<PathBuf> {
    let user = getuid().as_raw();
    let folder = PathBuf::from(format!("/tmp/msctl-{user}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Of the name itself: a link could lead anywhere.
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let problem = format!("{} has to be a folder of this user's own, of mode 0700", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(folder)
}

/// The caller holds the project's lock: a socket that is there already is nobody's.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Its folder is the user's own, so nobody comes in between.
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
