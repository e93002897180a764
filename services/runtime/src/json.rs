//! JSON request bodies.

use std::error::Error as _;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::intake::IntakeError;
use crate::problem::Failure;

const JSON: &str = "application/json";

/// The JSON body of a request.
///
/// Refused: another media type than `application/json` or `application/*+json` (415), a body that is too large (413)
/// or too slow (408), that is not JSON in UTF-8 (400), or JSON of another shape than `T` (422).
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let read = async {
            require_json(&parts.headers)?;
            let bytes = collect(body).await?;
            parse(&bytes)
        };
        read.await.map(Self).map_err(|failure| failure.at(parts.uri.path()))
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(told) = headers.get(CONTENT_TYPE) else {
        return Err(Failure::unsupported("the request has no Content-Type", JSON));
    };
    if told.to_str().is_ok_and(is_json) {
        return Ok(());
    }
    let told = String::from_utf8_lossy(told.as_bytes());
    Err(Failure::unsupported(format!("the body's Content-Type is {told}"), JSON))
}

/// Parameters don't matter: JSON has no charset but UTF-8 (RFC 8259, section 8.1).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

async fn collect(mut body: Body) -> Result<Bytes, Failure> {
    // Nearly every body is one frame: it is taken as it is.
    let first = match body.frame().await {
        None => return Ok(Bytes::new()),
        Some(frame) => frame.map_err(|error| refused(&error))?,
    };
    if body.is_end_stream() {
        return Ok(first.into_data().unwrap_or_default());
    }
    let mut all = first.into_data().unwrap_or_default().to_vec();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refused(&error))?;
        all.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    Ok(all.into())
}

fn refused(error: &axum::Error) -> Failure {
    let cause = error.source().and_then(|source| source.downcast_ref::<IntakeError>());
    let status = match cause {
        Some(IntakeError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
        Some(IntakeError::Late(_)) => StatusCode::REQUEST_TIMEOUT,
        Some(IntakeError::Broken(_)) | None => StatusCode::BAD_REQUEST,
    };
    Failure::new(status, error.to_string()).closing()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let text = str::from_utf8(bytes)
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, format!("the body is not UTF-8: {error}")))?;
    serde_json::from_str(text).map_err(|error| {
        let (status, what) = match error.classify() {
            Category::Data => (StatusCode::UNPROCESSABLE_ENTITY, "the JSON is of another shape"),
            Category::Syntax | Category::Eof | Category::Io => (StatusCode::BAD_REQUEST, "the body is not JSON"),
        };
        Failure::new(status, format!("{what}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;

    #[test]
    fn json_media_types_are_known_with_parameters_and_suffixes() {
        for good in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON;charset=UTF-8",
            "application/problem+json",
            "application/cloudevents+json; charset=utf-8",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["", "json", "text/plain", "text/json", "application/jsonp", "application/json+xml", "application/x-ndjson"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn malformed_json_is_400_and_another_shape_is_422() {
        for bad in [&b""[..], b"{", b"{\"a\":1}x", b"{'a':1}", b"\"\xff\"", b"nul"] {
            assert_eq!(parse::<IgnoredAny>(bad).unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad:?}");
        }
        assert_eq!(parse::<u8>(b"\"text\"").unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(parse::<u8>(b" 7 ").unwrap(), 7);
    }
}
