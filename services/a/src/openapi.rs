//! `GET /openapi.json`: what A answers to what.
//!
//! The document is generated from the routes' annotations, in tests only: the binary holds the checked-in file.

#[cfg(test)]
mod generated;
#[cfg(test)]
mod parameters;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

#[cfg(test)]
pub(crate) use parameters::{IdempotencyKey, MessageId};

const DOCUMENT: &str = include_str!("../../../docs/openapi/service-a.json");

/// This document.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::OPENAPI_PATH,
    operation_id = "document",
    tag = "document",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object)),
))]
pub(crate) async fn show() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(api::JSON))], DOCUMENT).into_response()
}
