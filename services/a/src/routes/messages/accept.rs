//! `POST /messages`.

use api::a::MESSAGES_PATH;
use axum::extract::State;
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use runtime::{Failure, Json};
use serde_json::value::RawValue;

use super::prefer::{PREFERENCE_APPLIED, Prefer};
use super::{json, key, location};
use crate::messages::Messages;
use crate::store::Backend;

/// Stores a JSON object and delivers it to B.
///
/// 201 once B has it. 202 when the client sent `Prefer: respond-async`, when B does not have it before the deadline
/// (`DELIVERY_WAIT`, or less by `Prefer: wait`), or when B refused it: it is stored in any case. Without an
/// `Idempotency-Key` a client that sends its request again may make a second message. Messages are delivered in no
/// order.
#[cfg_attr(test, utoipa::path(
    post,
    path = api::a::MESSAGES_PATH,
    operation_id = "postMessage",
    tag = "messages",
    summary = "Stores a JSON object and delivers it to service B.",
    description = "The message is committed before any answer of 201 or 202. 201 once B has it. 202 at once with \
        `Prefer: respond-async`; else when B does not have it before the wait ends (DELIVERY_WAIT, 5 s unless set \
        otherwise, or less by `Prefer: wait`), or when B refused it for good (`state` is `dead` then). `Location` says \
        where it can be followed. The body is kept and delivered as it was written. `application/*+json` is taken too. \
        503 also when OUTBOX_LIMIT messages (100,000 unless set otherwise) wait for their delivery.",
    params(
        ("Prefer" = Option<String>, Header, example = json!("respond-async"),
            description = "RFC 7240: `respond-async` does not wait for B, `wait=N` waits N seconds at most. What is not \
                known or malformed is ignored."),
        ("Idempotency-Key" = Option<crate::openapi::IdempotencyKey>, Header,
            description = "Names this message, so that the request may be repeated: kept with it for 24 hours. The same \
                key with the same body (every byte of the object; white space around it does not count) gets the \
                message's present state, and joins the wait; with another body 422. Without a key every request is a \
                message of its own: a client that repeats one may make two. It may be given once, and is taken as it is, \
                quotes included."),
    ),
    request_body(content = Object, content_type = "application/json", description = "Any JSON object in UTF-8.",
        example = json!({"key": "value"})),
    responses(
        (status = 201, description = "B has it.", body = api::message::Message,
            headers(
                ("Location" = String, description = "The message."),
                ("Preference-Applied" = String, description = "When a preference was applied: which."),
            ),
            links(("message" = (
                operation_id = "getMessage",
                description = "The message.",
                parameters(("id" = "$response.body#/id")),
            ))),
        ),
        (status = 202, description = "It is stored; B does not have it yet, or refused it.", body = api::message::Message,
            headers(
                ("Location" = String, description = "The message, whose `state` changes."),
                ("Preference-Applied" = String, description = "When a preference was applied: which."),
            ),
            links(
                ("message" = (
                    operation_id = "getMessage",
                    description = "The message, to be asked until it is `delivered` or `dead`.",
                    parameters(("id" = "$response.body#/id")),
                )),
                ("redeliver" = (
                    operation_id = "redeliverMessage",
                    description = "Once it is `dead`: another try.",
                    parameters(("id" = "$response.body#/id")),
                )),
            ),
        ),
        (status = 400, description = "The body is not JSON in UTF-8, or the Idempotency-Key can't be used.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 410, description = "The message of this Idempotency-Key is older than RETENTION and not kept any more.",
            body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 422, description = "The body is JSON but not an object, or this Idempotency-Key came with another body \
            before.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Body,
        test_openapi::Database,
    ),
))]
pub(crate) async fn post<B: Backend>(
    State(messages): State<Messages<B>>,
    headers: HeaderMap,
    Json(body): Json<Box<RawValue>>,
) -> Result<Response, Failure> {
    accept(&messages, &headers, body).await.map_err(|failure| failure.at(MESSAGES_PATH))
}

async fn accept<B: Backend>(
    messages: &Messages<B>,
    headers: &HeaderMap,
    body: Box<RawValue>,
) -> Result<Response, Failure> {
    // Never read into a tree: what is nested deeply costs no more than what is not.
    if !body.get().starts_with('{') {
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "the body is JSON, but not an object"));
    }
    let key = key::of(headers, body.get())?;
    let prefer = Prefer::of(headers);
    let answer = messages.post(body, key, prefer.wait(messages.wait)).await?;

    let mut response = json(answer.status, &answer.message);
    response.headers_mut().insert(LOCATION, location(&answer.message));
    let early = answer.status == StatusCode::ACCEPTED;
    if let Some(applied) = prefer.applied(early, messages.wait) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}
