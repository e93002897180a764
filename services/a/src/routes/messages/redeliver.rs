//! `POST /messages/{id}/redeliver`.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use http::header::LOCATION;
use runtime::Failure;

use super::id::Id;
use super::{json, location};
use crate::messages::Messages;
use crate::store::Backend;

/// Has a message that was given up delivered again: 202. One that was not is 409, one that is older than what B
/// remembers 410.
#[cfg_attr(test, utoipa::path(
    post,
    path = api::a::REDELIVER_PATH,
    operation_id = "redeliverMessage",
    tag = "messages",
    summary = "Has a dead message delivered again.",
    description = "For a message that was given up. It is refused once B may have forgotten that it had it.",
    params(("id" = crate::openapi::MessageId, Path, description = "The message's identifier.")),
    responses(
        (status = 202, description = "It is pending again.", body = api::message::Message,
            headers(("Location" = String, description = "The message, whose `state` changes."))),
        (status = 400, description = "The identifier is not a UUID.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 404, description = "There is none.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 409, description = "It is not dead.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 410, description = "It is older than what B remembers, or than RETENTION.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Database,
    ),
))]
pub(crate) async fn post<B: Backend>(
    State(messages): State<Messages<B>>,
    Id(id): Id,
    uri: Uri,
) -> Result<Response, Failure> {
    let answer = messages.redeliver(id).await.map_err(|failure| failure.at(uri.path()))?;
    let mut response = json(answer.status, &answer.message);
    response.headers_mut().insert(LOCATION, location(&answer.message));
    Ok(response)
}
