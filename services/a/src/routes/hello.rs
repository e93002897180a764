//! `GET /` and `POST /`: the seed's answers, to the byte.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use runtime::Json;
use serde::de::IgnoredAny;

pub(crate) async fn greet() -> Response {
    // The framework's own text type has a charset; the seed's has none.
    ([(CONTENT_TYPE, HeaderValue::from_static(api::TEXT_PLAIN))], api::a::HELLO).into_response()
}

/// Any JSON will do; it is checked, not kept.
pub(crate) async fn greet_json(Json(_any): Json<IgnoredAny>) -> Response {
    greet().await
}
