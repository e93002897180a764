//! B's routes.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

/// B's router.
pub fn app() -> Router {
    Router::new().route(api::b::ROOT_PATH, get(greet))
}

async fn greet() -> Response {
    // The framework's own text type has a charset; the seed's has none.
    ([(CONTENT_TYPE, HeaderValue::from_static(api::TEXT_PLAIN))], api::b::HELLO).into_response()
}
