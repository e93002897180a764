//! Who the server runs as: Postgres refuses to run as root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

use crate::Error;

/// The user of a server's processes and files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// Whoever runs the tests.
    Own,
    /// The tests run as root; the server does not.
    Other { uid: Uid, gid: Gid },
}

impl Account {
    pub(crate) fn choose() -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self::Own);
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::Other { uid: user.uid, gid: user.gid })
            .ok_or(Error::NoAccount)
    }

    /// Makes `command` run as this user.
    pub(crate) fn run(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Own => command,
            // Also takes root's supplementary groups away.
            Self::Other { uid, gid } => command.uid(uid.as_raw()).gid(gid.as_raw()),
        }
    }

    /// Gives `path` to this user.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid.as_raw()), Some(gid.as_raw()))
                .map_err(Error::io("give away", path)),
        }
    }
}
