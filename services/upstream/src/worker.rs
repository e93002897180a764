//! The thread that [`send_request`](crate::send_request) works on.
//!
//! A kept connection lives in the runtime that opened it, and stands still whenever that one is not running. The
//! seed's client may be called from any runtime, from many of them, and from none; so its connections belong to a
//! runtime that always runs.

use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::config::Config;

/// For whoever calls without a configuration: long enough for a slow answer, short enough to notice that there is none.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The thread's runtime and its client; both last as long as the process.
#[derive(Debug)]
pub(crate) struct Worker {
    runtime: Handle,
    pub(crate) client: Client,
}

impl Worker {
    /// The process's worker, started by the first who asks for it.
    pub(crate) fn get() -> Result<&'static Self, &'static io::Error> {
        static WORKER: OnceLock<io::Result<Worker>> = OnceLock::new();
        WORKER.get_or_init(Self::start).as_ref()
    }

    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("upstream".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        let client = Client::new(Config { timeout: TIMEOUT, ..Config::default() });
        Ok(Self { runtime: handle, client })
    }

    /// Does `work` there; given up when the result is dropped.
    pub(crate) fn run<F>(&self, work: F) -> Work<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Work(self.runtime.spawn(work))
    }
}

/// Work under way on the worker's thread.
#[derive(Debug)]
pub(crate) struct Work<T>(JoinHandle<T>);

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
