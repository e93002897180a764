//! The same without async.

use std::sync::OnceLock;
use std::sync::mpsc;
use std::{io, thread};

use http::Method;
use serde_json::Value;
use tokio::runtime::{Builder, Handle};

use crate::error::{Error, Kind, Target};
use crate::seed::Response;

/// As [`send_request`](crate::send_request), waiting on this thread for the answer.
///
/// The work is done by a thread of its own, started by the first call and kept, with its connections, for the process's life; so
/// this may be called from any thread. In async code it would hold up its executor: use the asynchronous one there.
pub fn send_request(url: &str, method: Method, data: Option<&Value>) -> Result<Response, Error> {
    let target = Target::unparsed(&method, url);
    let worker = match worker() {
        Ok(worker) => worker,
        Err(cause) => return Err(Error::new(Kind::Connect, target, Some(cause.to_string().into()))),
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    let (url, data) = (url.to_owned(), data.cloned());
    worker.spawn(async move {
        let answer = crate::seed::send_request(&url, method, data.as_ref()).await;
        // The caller is waiting below.
        let _ = sender.send(answer);
    });
    receiver
        .recv()
        .unwrap_or_else(|_| Err(Error::new(Kind::Broken, target, Some("the client's thread has ended".into()))))
}

fn worker() -> &'static Result<Handle, io::Error> {
    static WORKER: OnceLock<Result<Handle, io::Error>> = OnceLock::new();
    WORKER.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("upstream".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(handle)
    })
}
