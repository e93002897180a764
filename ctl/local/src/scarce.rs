//! Descriptors, memory and local ports that this process runs out of: no fault of whom it wanted to reach.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Whether this machine or this process had nothing left for it.
pub(crate) fn is_ours(error: &io::Error) -> bool {
    const OURS: [Errno; 5] = [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ENOBUFS, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| OURS.contains(&Errno::from_raw(code)))
}

/// As many descriptors as this process may have: shells give 1024, and each connection through a balancer takes two.
///
/// Children inherit it, and programs that use select(2) can't have more than 1024: only once the guard was spawned.
pub(crate) fn raise_descriptors() {
    // Best effort: with fewer it works too.
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_out_here_is_ours_and_a_refusal_is_not() {
        let of = |errno: Errno| is_ours(&io::Error::from_raw_os_error(errno as i32));
        assert!(of(Errno::EMFILE) && of(Errno::ENFILE) && of(Errno::ENOMEM));
        assert!(!of(Errno::ECONNREFUSED) && !is_ours(&io::ErrorKind::OutOfMemory.into()));
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_descriptors();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
