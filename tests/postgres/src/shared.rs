//! One server for all tests of a process, and what happens where there is none.

use std::sync::OnceLock;

use crate::{Error, Options, Server};

/// Names a running server that tests use instead of starting one: `postgres://USER@HOST:PORT/`, of a superuser.
pub const URL: &str = "TEST_POSTGRES_URL";

/// The server that the tests of this process share: that of `TEST_POSTGRES_URL`, else one that is started now, without
/// fsync. `None`, with the reason printed, where there is none.
///
/// # Panics
/// Instead of `None` when `CLUSTER=required`.
pub fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let start = || match std::env::var(URL) {
        Ok(url) if !url.is_empty() => Ok(Server::at(&url)),
        _ => Server::start(Options::default()),
    };
    SHARED.get_or_init(|| or_say_why(start())).as_ref()
}

/// A server of the caller's own. `None`, with the reason printed, where there is none.
///
/// # Panics
/// Instead of `None` when `CLUSTER=required`.
pub fn private(options: Options) -> Option<Server> {
    or_say_why(Server::start(options))
}

#[expect(clippy::print_stderr, reason = "a test that does not run says so to the person who runs it")]
fn or_say_why(server: Result<Server, Error>) -> Option<Server> {
    match server {
        Ok(server) => Some(server),
        Err(error) if std::env::var("CLUSTER").is_ok_and(|value| value == "required") => {
            panic!("CLUSTER=required: {error}")
        }
        // Whatever else goes wrong is a failure: only what is not installed may be missing.
        Err(error @ (Error::NotInstalled | Error::NoAccount)) => {
            eprintln!("NOT RUN: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
