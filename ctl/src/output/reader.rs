//! Who reads stdout, as seen without writing to it.

use std::io;
use std::os::fd::AsFd as _;

use tokio::io::{Interest, Ready};
use tokio::net::unix::pipe::Sender;

/// Resolves when nobody reads stdout any more: a pipe whose other end is closed.
///
/// What waits for the next line of a quiet service would learn of it only with that line. A file or a terminal has no
/// reader that could go away.
pub(crate) async fn gone() {
    // Unchecked, because the check makes the pipe non-blocking, and so stdout itself; only its state is asked for here.
    let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    if let Ok(stdout) = stdout
        && stdout.ready(Interest::ERROR).await.is_ok_and(Ready::is_error)
    {
        return;
    }
    std::future::pending::<()>().await;
}
