//! The state folder of a project, `.msctl/`: who runs, the control socket, logs, services' own data.
//!
//! ```text
//! .gitignore    *
//! lock          flock: held by the supervisor
//! guard.lock    flock: held by the guard, until nothing of its supervisor's is left
//! up.json       who holds the lock, and where it is reached: `Running`
//! control.sock  unless its path is too long for a socket
//! up.log        what an `up` in the background says
//! logs/         a file a replica
//! data/         the services' own
//! ```
//! A lock is what says that somebody runs: the kernel takes it from whoever dies. Files say only who.

mod folder;
mod lock;
mod running;
mod socket;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

pub use running::Running;

/// The name of the folder, beside `msctl.yaml`.
pub const FOLDER: &str = ".msctl";

/// The folder, and the lock on it while this process runs the project.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    socket: PathBuf,
    /// Held until this is dropped.
    _lock: File,
}

impl StateFolder {
    /// Makes the folder when there is none, and takes it. `path`: an absolute path that ends in [`FOLDER`].
    ///
    /// Waits up to ten seconds until what an earlier supervisor left has been killed.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when the project runs already, with where; [`Kind::Failed`] when the folder can't be written.
    pub async fn open(path: &Path, project: &str) -> Result<Self, Error> {
        let cannot = |what: &str, error: &io::Error| cannot_use(path, what, error);
        prepare(path)?;
        let Some(held) = lock::take(&path.join("lock")).await.map_err(|error| cannot("lock", &error))? else {
            return Err(already_up(path, project));
        };
        if !lock::wait_free(&path.join("guard.lock")).await.map_err(|error| cannot("guard.lock", &error))? {
            return Err(still_ending(path));
        }
        let socket = socket::path(path).map_err(|error| cannot("control.sock", &error))?;
        let running = Running::this(project, &socket);
        running.write(path).map_err(|error| cannot("up.json", &error))?;
        Ok(Self { path: path.to_owned(), socket, _lock: held })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The control socket, readable and writable by its owner only. Replaces one that a killed supervisor left.
    ///
    /// # Errors
    /// [`Kind::Failed`] when it can't be made.
    pub fn listen(&self) -> Result<UnixListener, Error> {
        socket::listen(&self.socket).map_err(|error| cannot_use(&self.path, "control.sock", &error))
    }

    /// Where the control socket is.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where replicas' lines are kept.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Where services keep what they own: `MSCTL_DATA`.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn guard_lock(&self) -> PathBuf {
        self.path.join("guard.lock")
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        // Best effort: what is left says who ran, and that the lock is free says that nobody does.
        let _ = fs::remove_file(&self.socket);
        let _ = Running::remove(&self.path);
    }
}

/// What [`remove`] leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// `data/`, and the folder that holds it.
    Data,
    Nothing,
}

/// Removes a project's state, and nothing else that may be in the folder. False when there was none.
///
/// # Errors
/// [`Kind::Conflict`] while the project runs; [`Kind::Failed`] when something can't be removed, and when the folder is a
/// link or another user's.
pub async fn remove(path: &Path, keep: Keep) -> Result<bool, Error> {
    let cannot = |error: &io::Error| Error::failed(format!("cannot remove {}", path.display())).why(error);
    match folder::check(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        checked => checked.map_err(|error| cannot(&error))?,
    }
    let taken = lock::take(&path.join("lock")).await;
    // Somebody else has removed it meanwhile.
    if taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(false);
    }
    let Some(_held) = taken.map_err(|error| cannot(&error))? else {
        return Err(already_up(path, ""));
    };
    if !lock::wait_free(&path.join("guard.lock")).await.map_err(|error| cannot(&error))? {
        return Err(still_ending(path));
    }
    if let Ok(socket) = socket::path(path) {
        let _ = fs::remove_file(socket);
    }
    folder::clear(path, keep).map_err(|error| cannot(&error))?;
    Ok(true)
}

/// Makes the folder when there is none, without taking it.
///
/// # Errors
/// [`Kind::Failed`] when it can't be written, and when it is a link or another user's.
pub fn prepare(path: &Path) -> Result<(), Error> {
    folder::prepare(path).map_err(|(what, error)| cannot_use(path, &what, &error))
}

fn cannot_use(path: &Path, what: &str, error: &io::Error) -> Error {
    Error::failed(format!("cannot use the state folder {}", path.display())).why(format!("{what}: {error}"))
}

fn already_up(path: &Path, project: &str) -> Error {
    let running = Running::read(path);
    let name = running.as_ref().map_or(project, |running| running.project.as_str());
    let error = Error::new(Kind::Conflict, format!("{name} is up already"));
    let error = match running {
        Some(running) => error.why(format!(
            "process {} has run it since {}, with the state folder {}",
            running.pid,
            running.since,
            path.display()
        )),
        None => error.why(format!("a process that starts or ends holds {}", path.join("lock").display())),
    };
    error.next("msctl status --local").next("msctl down")
}

fn still_ending(path: &Path) -> Error {
    Error::new(Kind::Conflict, "the processes of an earlier run have not ended")
        .why(format!("their guard still holds {} after 10 s", path.join("guard.lock").display()))
        .next("a process in state D (ps -o pid,stat,wchan,cmd) cannot be killed before what it waits for answers")
}
