//! `GET /messages`.

use api::a::MESSAGES_PATH;
use api::message::{Messages as Listed, State as MessageState};
use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use outbox::cursor;
use outbox::query::Query;
use runtime::Failure;
use uuid::Uuid;

use super::json;
use crate::messages::{Messages, from_row};
use crate::store::{Backend, Page};

/// A page of messages, the newest first: `?limit=` (1 to 200), `?cursor=` (from the page before), `?state=`.
///
/// A page may hold fewer messages than asked for, where they are large; `next_cursor` says whether there are more.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::a::MESSAGES_PATH,
    operation_id = "listMessages",
    tag = "messages",
    summary = "Lists messages.",
    description = "The newest first, a page at a time. A page may hold fewer messages than asked for, where they are \
        large; `next_cursor` says whether there are more. A parameter may be given once; those that are not known are \
        ignored.",
    params(
        ("limit" = inline(Option<test_openapi::Limit>), Query,
            description = "How many messages a page holds at most; 50 when it is not given."),
        ("cursor" = Option<String>, Query,
            description = "`next_cursor` of the page before, as it was given and with the same `state`."),
        ("state" = inline(Option<MessageState>), Query, description = "Only messages in this state."),
    ),
    responses(
        (status = 200, description = "A page.", body = Listed),
        (status = 400, description = "A parameter can't be used, or the cursor is none of this list's.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Database,
    ),
))]
pub(crate) async fn list<B: Backend>(State(messages): State<Messages<B>>, uri: Uri) -> Result<Response, Failure> {
    page(&messages, &uri).await.map_err(|failure| failure.at(MESSAGES_PATH))
}

async fn page<B: Backend>(messages: &Messages<B>, uri: &Uri) -> Result<Response, Failure> {
    let query = Query::of(uri)?;
    let state = query.get("state")?.map(state).transpose()?;
    let scope = scope(state);
    let before = match query.get("cursor")? {
        None => Uuid::max(),
        Some(text) => {
            let key = cursor::decode::<16>(scope, text).map_err(|error| refused(error.to_string()))?;
            Uuid::from_bytes(key)
        }
    };
    let limit = u16::try_from(query.limit()?).unwrap_or(u16::MAX);

    let listed = messages.store.0.list(Page { before, state, limit }).await?;
    let last = listed.messages.last().map(|kept| kept.id);
    let next_cursor = last.filter(|_| listed.more).map(|id| cursor::encode(scope, id.as_bytes()));
    let messages = listed.messages.into_iter().map(from_row).collect::<Result<_, _>>()?;
    Ok(json(StatusCode::OK, &Listed { messages, next_cursor }))
}

fn state(text: &str) -> Result<MessageState, Failure> {
    let known = [MessageState::Pending, MessageState::Delivered, MessageState::Dead];
    let state = known.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| refused("state must be pending, delivered or dead"))
}

/// A cursor of one list is of no use to another.
fn scope(state: Option<MessageState>) -> &'static str {
    match state {
        None => "a/messages",
        Some(MessageState::Pending) => "a/messages?state=pending",
        Some(MessageState::Delivered) => "a/messages?state=delivered",
        Some(MessageState::Dead) => "a/messages?state=dead",
    }
}

fn refused(detail: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, detail)
}
