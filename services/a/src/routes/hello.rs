//! `GET /` and `POST /`: the seed's answers, to the byte.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use runtime::Json;
use serde::de::IgnoredAny;

/// Greets.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::a::ROOT_PATH,
    operation_id = "greet",
    tag = "greeting",
    responses((status = 200, description = "The greeting.", body = String, content_type = "text/plain",
        example = json!(api::a::HELLO))),
))]
pub(crate) async fn greet() -> Response {
    // The framework's own text type has a charset; the seed's has none.
    ([(CONTENT_TYPE, HeaderValue::from_static(api::TEXT_PLAIN))], api::a::HELLO).into_response()
}

/// Any JSON will do; it is checked, not kept.
#[cfg_attr(test, utoipa::path(
    post,
    path = api::a::ROOT_PATH,
    operation_id = "greetJson",
    tag = "greeting",
    summary = "Greets whoever sends JSON.",
    description = "Any JSON will do, of the type `application/json` or `application/*+json`; it is checked, not kept.",
    request_body(content = Value, content_type = "application/json", description = "Any JSON.",
        example = json!({"key": "value"})),
    responses(
        (status = 200, description = "The greeting.", body = String, content_type = "text/plain",
            example = json!(api::a::HELLO)),
        (status = 400, description = "The body is not JSON in UTF-8.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Body,
    ),
))]
pub(crate) async fn greet_json(Json(_any): Json<IgnoredAny>) -> Response {
    greet().await
}
