//! Answers of the double: whole ones, and watches.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use serde_json::{Value, json};

pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, std::io::Error>;

pub(super) fn whole(code: StatusCode, value: &Value) -> Response<AnswerBody> {
    let body = full(Bytes::from(value.to_string()));
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
}

/// A stream of lines that stays open.
pub(super) fn watch(first: Vec<Value>, later: UnboundedReceiver<Value>) -> Response<AnswerBody> {
    let lines = futures::stream::iter(first).chain(later).map(|event| Ok(Frame::data(line(&event))));
    Response::new(StreamBody::new(lines).boxed_unsync())
}

/// What the watch cache says when the resource version is too old.
pub(super) fn gone_in_watch() -> Response<AnswerBody> {
    let status = problem(StatusCode::GONE, "too old resource version: 1 (2)");
    let event = json!({ "type": "ERROR", "object": status });
    Response::new(full(line(&event)))
}

/// Text as it is, then what comes until the sender goes or says that the connection broke.
pub(super) fn text(first: String, later: Option<UnboundedReceiver<Result<String, ()>>>) -> Response<AnswerBody> {
    let later = later.map_or_else(|| futures::stream::empty().right_stream(), futures::StreamExt::left_stream);
    let pieces = futures::stream::iter([Ok(first)]).chain(later);
    let frames = pieces.map(|piece| match piece {
        Ok(text) => Ok(Frame::data(Bytes::from(text))),
        Err(()) => Err(std::io::Error::other("connection reset by peer")),
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn full(bytes: Bytes) -> AnswerBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn line(event: &Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}

/// A Status, as the API server answers a failure.
pub(crate) fn problem(code: StatusCode, message: &str) -> Value {
    let reason = match code.as_u16() {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        _ => "InternalError",
    };
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "reason": reason,
            "message": message })
}
