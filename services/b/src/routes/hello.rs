//! `GET /`: the seed's answer, to the byte. It needs no database.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

/// Greets.
///
/// Needs no database.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::b::ROOT_PATH,
    operation_id = "greet",
    tag = "greeting",
    responses((status = 200, description = "The greeting.", body = String, content_type = "text/plain",
        example = json!(api::b::HELLO))),
))]
pub(crate) async fn greet() -> Response {
    // The framework's own text type has a charset; the seed's has none.
    ([(CONTENT_TYPE, HeaderValue::from_static(api::TEXT_PLAIN))], api::b::HELLO).into_response()
}
