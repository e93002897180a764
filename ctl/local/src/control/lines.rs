//! Streams of lines: an operation's events and its result, as they come.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Line;
use super::route::Body;
use crate::{Error, Events};

pub(super) const NDJSON: &str = "application/x-ndjson";

/// Events that a client is behind with; more are lost to it.
const BEHIND: usize = 1024;

/// Runs an operation to its end, whatever becomes of the client once it has begun, and tells the client about it meanwhile.
pub(super) fn operation<T, F>(work: impl FnOnce(Events) -> F) -> Response<Body>
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let (tell, mut events) = mpsc::channel(BEHIND);
    let (write, lines) = mpsc::channel(BEHIND);
    let work = work(tell);
    tokio::spawn(async move {
        let tell = write.clone();
        let teller = async move {
            // Ends when the operation has dropped its end, which it may do before it is done, and when the client has gone:
            // an operation that has not begun then need not.
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    () = tell.closed() => None,
                };
                let Some(event) = event else { break };
                // Lost on a client that does not read.
                let _ = tell.try_send(line(&Line::<_, ()>::Event(event)));
            }
        };
        let (result, ()) = tokio::join!(work, teller);
        let last = match result {
            Ok(result) => line(&Line::<(), _>::Result(result)),
            Err(error) => line(&Line::<(), ()>::Error(error)),
        };
        // Waits for a client that is behind: there is nothing left to delay.
        let _ = write.send(last).await;
    });
    response(lines)
}

/// Lines at the client's pace, until they end, it leaves, or everything stops.
pub(super) fn read<T>(mut items: BoxStream<'static, Result<T, Error>>, stop: CancellationToken) -> Response<Body>
where
    T: Serialize + Send + 'static,
{
    let (write, lines) = mpsc::channel(64);
    tokio::spawn(async move {
        let last = loop {
            let item = tokio::select! {
                item = items.next() => item,
                () = stop.cancelled() => None,
                () = write.closed() => return,
            };
            match item {
                Some(Ok(item)) => {
                    if write.send(line(&Line::<_, ()>::Event(item))).await.is_err() {
                        return;
                    }
                }
                Some(Err(error)) => break Line::<(), ()>::Error(error),
                None => break Line::Result(()),
            }
        };
        let _ = write.send(line(&last)).await;
    });
    response(lines)
}

fn line<E: Serialize, T: Serialize>(line: &Line<E, T>) -> Bytes {
    // Nothing in it is of a kind that JSON does not have.
    let mut json = serde_json::to_vec(line).unwrap_or_default();
    json.push(b'\n');
    Bytes::from(json)
}

fn response(lines: mpsc::Receiver<Bytes>) -> Response<Body> {
    let frames = stream::unfold(lines, async |mut lines| {
        let line = lines.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(line)), lines))
    });
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(frames)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response
}
