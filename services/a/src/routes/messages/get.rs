//! `GET /messages/{id}`.

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use runtime::Failure;

use super::id::Id;
use super::json;
use crate::messages::{Messages, from_row, unknown};
use crate::store::Backend;

/// One message; 404 when there is none.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::a::MESSAGE_PATH,
    operation_id = "getMessage",
    tag = "messages",
    summary = "One message.",
    description = "How far it has come, and what it says. It is kept for RETENTION (7 days unless set otherwise).",
    params(("id" = crate::openapi::MessageId, Path, description = "The message's identifier.")),
    responses(
        (status = 200, description = "The message.", body = api::message::Message),
        (status = 400, description = "The identifier is not a UUID.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 404, description = "There is none.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Database,
    ),
))]
pub(crate) async fn get<B: Backend>(
    State(messages): State<Messages<B>>,
    Id(id): Id,
    uri: Uri,
) -> Result<Response, Failure> {
    let found = async { from_row(messages.store.0.get(id).await?.ok_or_else(|| unknown(id))?) };
    match found.await {
        Ok(message) => Ok(json(StatusCode::OK, &message)),
        Err(failure) => Err(failure.at(uri.path())),
    }
}
