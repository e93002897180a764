//! `GET /messages`: B's copies, the newest first.

use api::message::Inbox;
use axum::Json as Answer;
use axum::extract::State;
use http::{StatusCode, Uri};
use outbox::cursor;
use outbox::query::Query;
use runtime::Failure;

use super::message;
use crate::store::Page;

const LIST: &str = "b/messages";

/// A page of up to `?limit=` copies (1 to 200, else 50) after `?cursor=`, fewer where they are large.
///
/// While events arrive, a page may miss one that was being applied when the page before was read.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::b::MESSAGES_PATH,
    operation_id = "listMessages",
    tag = "messages",
    summary = "Lists the messages that arrived.",
    description = "The newest first, a page at a time. A page may hold fewer messages than asked for, where they are \
        large: it ends with the message that takes it beyond 1 MiB; `next_cursor` says whether there are more. While \
        events arrive, a page may miss one that was being applied when the page before was read. A parameter may be \
        given once; those that are not known are ignored.",
    params(
        ("limit" = inline(Option<test_openapi::Limit>), Query, description = "How many messages a page holds at most; 50 when it is not given."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, as it was given."),
    ),
    responses(
        (status = 200, description = "A page.", body = Inbox),
        (status = 400, description = "A parameter can't be used, or the cursor is none of this list's.",
            body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Database,
    ),
))]
pub(crate) async fn list(State(state): State<crate::state::State>, uri: Uri) -> Result<Answer<Inbox>, Failure> {
    page(&state, &uri).await.map(Answer).map_err(|failure| failure.at(uri.path()))
}

async fn page(state: &crate::state::State, uri: &Uri) -> Result<Inbox, Failure> {
    let query = Query::of(uri)?;
    let limit = query.limit()?;
    let before = match query.get("cursor")? {
        None => None,
        Some(text) => {
            let key = cursor::decode(LIST, text);
            Some(i64::from_be_bytes(key.map_err(|error| Failure::new(StatusCode::BAD_REQUEST, error.to_string()))?))
        }
    };
    let Page { rows, more } = state.store.page(before, limit).await?;
    let last = rows.last().filter(|_| more).map(|row| cursor::encode(LIST, &row.seq.to_be_bytes()));
    let messages = rows.into_iter().map(message::received).collect::<Result<_, _>>()?;
    Ok(Inbox { messages, next_cursor: last })
}
