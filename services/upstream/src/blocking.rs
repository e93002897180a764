//! The same without async.

use std::sync::mpsc;

use http::Method;
use serde_json::Value;

use crate::error::{Error, Kind, Target};
use crate::seed::{Response, start};

/// As [`send_request`](crate::send_request), waiting on this thread for the answer.
///
/// It may be called from any thread; in async code it would hold up its executor, and the asynchronous one is the one
/// to use.
pub fn send_request(url: &str, method: Method, data: Option<&Value>) -> Result<Response, Error> {
    let target = Target::unparsed(&method, url);
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = start(url, method, data, move |answer| {
        // The caller is waiting below.
        let _ = sender.send(answer);
    })?;
    let answer = receiver.recv();
    drop(work);
    answer.unwrap_or_else(|_| Err(Error::new(Kind::Broken, target, Some("the client's thread has ended".into()))))
}
