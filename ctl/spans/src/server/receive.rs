//! `POST /v1/traces`: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>.

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::{self, Packing, Refusal};
use super::exchange::{Body, Exchange, whole, with};
use crate::otlp::{Code, Encoding};
use crate::store::Taken;

pub(super) async fn receive(exchange: &Exchange, request: Request<Incoming>) -> Response<Body> {
    let headers = request.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(encoding) = content_type.and_then(Encoding::of) else {
        let allowed = "spans come as application/x-protobuf or application/json";
        return refuse(Encoding::Json, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, allowed);
    };
    let Some(packing) = packing(headers) else {
        let allowed = "a body is plain, or packed with gzip";
        let refusal = refuse(encoding, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, allowed);
        return with(refusal, ACCEPT_ENCODING, "gzip");
    };
    let mut body = match body::read(request, packing, &exchange.config, &exchange.budget).await {
        Ok(body) => body,
        Err(refusal) => return refused(encoding, &refusal),
    };
    let bytes = std::mem::take(&mut body.bytes);
    // The body's room in the budget is taken until it is freed, at the end of this function.
    let Some((_bytes, taken)) = exchange.worker.take(encoding, bytes).await else {
        return refuse(encoding, StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "storing the spans failed");
    };
    match taken {
        Ok(taken) => {
            let (rejected, why) = rejected(taken);
            whole(StatusCode::OK, encoding.content_type(), encoding.response(rejected, &why))
        }
        Err(malformed) => refuse(encoding, StatusCode::BAD_REQUEST, Code::InvalidArgument, &malformed),
    }
}

/// `None`: packed in a way that is not known here.
fn packing(headers: &HeaderMap) -> Option<Packing> {
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"" | b"identity") => Some(Packing::None),
        Some(b"gzip" | b"x-gzip") => Some(Packing::Gzip),
        Some(_) => None,
    }
}

/// How many spans were refused, and why.
fn rejected(taken: Taken) -> (u64, String) {
    let late = (taken.late > 0).then(|| format!("{} spans came after their trace was dropped", taken.late));
    let invalid = (taken.invalid > 0).then(|| format!("{} spans have no valid trace and span id", taken.invalid));
    let why: Vec<_> = late.into_iter().chain(invalid).collect();
    (taken.late + taken.invalid, why.join("; "))
}

fn refused(encoding: Encoding, refusal: &Refusal) -> Response<Body> {
    let (status, code) = match refusal {
        Refusal::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        Refusal::Late => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
        Refusal::Gzip(_) | Refusal::Broken(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
    };
    let answer = refuse(encoding, status, code, &refusal.to_string());
    match refusal {
        Refusal::Busy => with(answer, RETRY_AFTER, "1"),
        // The rest of the body may still come.
        Refusal::Late => with(answer, CONNECTION, "close"),
        _ => answer,
    }
}

fn refuse(encoding: Encoding, status: StatusCode, code: Code, message: &str) -> Response<Body> {
    whole(status, encoding.content_type(), encoding.status(code, message))
}
