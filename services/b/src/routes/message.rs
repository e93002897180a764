//! `GET /messages/{id}`: B's copy of one event.

use api::message::Received;
use axum::Json as Answer;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::{HeaderValue, StatusCode, Uri};
use outbox::query::Query;
use runtime::Failure;
use serde_json::value::RawValue;

use crate::store::Stored;

/// `?source=` says whose event it is, where several sources have used the same id; without it that is 409.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::b::MESSAGE_PATH,
    operation_id = "getMessage",
    tag = "messages",
    summary = "One message that arrived.",
    description = "An event is unique by its source and its id together. `source` says whose event it is, where several \
        sources have used the same id. A parameter may be given once; those that are not known are ignored.",
    params(
        ("id" = String, Path, min_length = 1, description = "The event's `id`."),
        ("source" = Option<String>, Query, description = "The event's `source`."),
    ),
    responses(
        (status = 200, description = "The message.", body = Received),
        (status = 400, description = "The id or a parameter is not percent-encoded UTF-8.",
            body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 404, description = "There is none: it never arrived, or was forgotten after RETENTION.",
            body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 409, description = "Several sources have sent an event with this id, and `source` is not given.",
            body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Database,
    ),
))]
pub(crate) async fn show(
    State(state): State<crate::state::State>,
    uri: Uri,
    id: Result<Path<String>, PathRejection>,
) -> Result<Answer<Received>, Failure> {
    find(&state, &uri, id).await.map(Answer).map_err(|failure| failure.at(uri.path()))
}

async fn find(
    state: &crate::state::State,
    uri: &Uri,
    id: Result<Path<String>, PathRejection>,
) -> Result<Received, Failure> {
    let Path(id) = id.map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the id is not percent-encoded UTF-8"))?;
    // No event has one, and Postgres refuses to be asked for it.
    if id.contains('\0') {
        return Err(missing());
    }
    let query = Query::of(uri)?;
    let source = query.get("source")?.map(ToOwned::to_owned);
    if source.as_ref().is_some_and(|source| source.contains('\0')) {
        return Err(missing());
    }
    let mut found = state.store.find(id, source).await?;
    match found.as_slice() {
        [] => Err(missing()),
        [first, second] if first.source != second.source => Err(Failure::new(
            StatusCode::CONFLICT,
            "several sources have sent an event with this id; say which with ?source=",
        )),
        _ => received(found.swap_remove(0)),
    }
}

fn missing() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "there is no message with this id; it never arrived, or was forgotten after RETENTION",
    )
}

pub(super) fn received(stored: Stored) -> Result<Received, Failure> {
    let Stored { source, id, kind, body, received_at, .. } = stored;
    let body = RawValue::from_string(body).map_err(|error| {
        tracing::error!(%id, %source, "a stored message is not JSON: {error}");
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "a stored message is not JSON")
    })?;
    Ok(Received { id, source, kind, received_at: outbox::time::rfc3339(received_at), body })
}

/// Where the copy of an event is.
pub(super) fn location(id: &str, source: &str) -> HeaderValue {
    let mut text = format!("{}/", api::b::MESSAGES_PATH);
    encode(id, &mut text);
    text.push_str("?source=");
    encode(source, &mut text);
    // ASCII without a control character.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(api::b::MESSAGES_PATH))
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3).
fn encode(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase();
            text.extend(['%', digit(byte >> 4), digit(byte & 0xf)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_holds_any_id_and_source() {
        assert_eq!(location("0-a_b.c~", "/service-a"), "/messages/0-a_b.c~?source=%2Fservice-a");
        assert_eq!(location("a/b ?#é%", "urn:x"), "/messages/a%2Fb%20%3F%23%C3%A9%25?source=urn%3Ax");
    }
}
