//! HTTP semantic conventions, as far as server and client share them
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).

use std::borrow::Cow;

use http::{Method, StatusCode, Version};
use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_REQUEST_METHOD_ORIGINAL, HTTP_RESPONSE_STATUS_CODE,
};

/// The methods that may be told apart; anything a client makes up is [`OTHER`].
pub(crate) const METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", OTHER];

/// The name of a method that is not known.
pub(crate) const OTHER: &str = "_OTHER";

/// The index into [`METHODS`].
pub(crate) fn method_index(method: &Method) -> usize {
    match *method {
        Method::CONNECT => 0,
        Method::DELETE => 1,
        Method::GET => 2,
        Method::HEAD => 3,
        Method::OPTIONS => 4,
        Method::PATCH => 5,
        Method::POST => 6,
        Method::PUT => 7,
        Method::TRACE => 8,
        _ => 9,
    }
}

/// `{METHOD} {template}`, or the method alone; a method that is not known reads `HTTP`.
pub(crate) fn span_name(method_index: usize, template: Option<&str>) -> Cow<'static, str> {
    let method = match METHODS[method_index] {
        OTHER => "HTTP",
        known => known,
    };
    match template {
        Some(template) => Cow::Owned([method, " ", template].concat()),
        None => Cow::Borrowed(method),
    }
}

pub(crate) fn push_method(attributes: &mut Vec<KeyValue>, method: &Method, method_index: usize) {
    let name = METHODS[method_index];
    attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, name));
    if name == OTHER {
        attributes.push(KeyValue::new(HTTP_REQUEST_METHOD_ORIGINAL, bounded(method.as_str())));
    }
}

/// Of what a caller sends, so that spans that wait in the queue stay small.
const LONGEST_VALUE: usize = 1024;

/// `text`, cut to a length that a span may hold.
pub(crate) fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST_VALUE)].to_owned()
}

/// `network.protocol.version`
pub(crate) fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// Records the status code; for `is_error` the span's status and `error.type` with it.
pub(crate) fn record_status(span: &SpanRef<'_>, status: StatusCode, is_error: bool) {
    span.set_attribute(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())));
    if is_error {
        record_error(span, status.as_str().to_owned(), "");
    }
}

pub(crate) fn record_error(span: &SpanRef<'_>, error_type: impl Into<Value>, message: impl Into<Cow<'static, str>>) {
    span.set_attribute(KeyValue::new(ERROR_TYPE, error_type));
    span.set_status(Status::error(message));
}
