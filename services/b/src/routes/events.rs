//! `POST /events`: one `CloudEvent`, applied once.

use api::message::{Outcome, Receipt};
use axum::Json as Answer;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use outbox::event::{self, Event, Mode};
use runtime::{Failure, Json};
use serde_json::value::RawValue;

use super::message;
#[cfg(test)]
use crate::openapi::event as event_schemas;
use crate::store::{Arrival, LONGEST_KEY};

const TAKEN: &str = "application/json, application/cloudevents+json";

/// Takes an event in binary or in structured mode whose data is a JSON object.
///
/// 201 when it was new and is applied, 200 when it had been applied before; both with where B's copy is. 400 or 415
/// when it is no such event, 413 when it is too large: sending it again would not help. 503 when it can't be applied
/// now: it should be sent again.
#[cfg_attr(test, utoipa::path(
    post,
    path = api::b::EVENTS_PATH,
    operation_id = "receiveEvent",
    tag = "messages",
    summary = "Takes one CloudEvent and applies it once.",
    description = "A CloudEvent 1.0 whose data is a JSON object, in the binary or the structured mode of its HTTP \
        binding; `Content-Type` says which. In binary mode (`application/json`, also `application/*+json` and \
        `text/json`) the attributes are the headers `ce-*`, any others among them, and the body is the data. `ce-data` \
        and `ce-datacontenttype` are refused. In structured mode (`application/cloudevents+json`) all of it is in the \
        body, and no header `ce-*` is looked at or needed. `ce-id` and `ce-source` have 1,024 bytes at most. No batches.",
    params(
        ("ce-specversion" = event_schemas::SpecVersion, Header, description = "Binary mode: the version of CloudEvents."),
        ("ce-id" = event_schemas::HeaderText, Header,
            description = "Binary mode: `id`. Unique together with `source`.",
            example = json!("0199c0de-0000-7000-8000-000000000001")),
        ("ce-source" = event_schemas::HeaderSource, Header, description = "Binary mode: `source`, who the event is from.",
            example = json!("/service-a")),
        ("ce-type" = event_schemas::HeaderText, Header, description = "Binary mode: `type`, what has happened.",
            example = json!("dev.msctl.message.created.v1")),
        ("ce-time" = Option<event_schemas::Time>, Header, description = "Binary mode: `time`, when it happened.",
            example = json!("2026-01-31T23:59:59.123Z")),
        ("ce-subject" = Option<event_schemas::HeaderText>, Header,
            description = "Binary mode: `subject`, what it has happened to."),
    ),
    request_body(
        description = "The data (binary mode), or the event (structured mode).",
        content(
            (Object = "application/json", example = json!({"key": "value"})),
            (event_schemas::CloudEvent = "application/cloudevents+json"),
        ),
    ),
    responses(
        (status = 200, description = "It had been applied before, and was ignored.", body = Receipt,
            headers(("Location" = String, description = "B's copy of it.")),
            example = json!({"id": "1", "source": "/service-a", "outcome": "ignored"})),
        (status = 201, description = "It was new, and is applied.", body = Receipt,
            headers(("Location" = String, description = "B's copy of it.")),
            links(("copy" = (
                operation_id = "getMessage",
                description = "B's copy.",
                parameters(("id" = "$response.body#/id"), ("source" = "$response.body#/source")),
            ))),
            example = json!({"id": "1", "source": "/service-a", "outcome": "applied"})),
        (status = 400, description = "It is no such event; `detail` names the attribute and says why.",
            body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        test_openapi::Body,
        test_openapi::Database,
    ),
))]
pub(crate) async fn receive(State(state): State<crate::state::State>, request: Request) -> Result<Response, Failure> {
    let arrival = arrival(request).await?;
    let (id, source) = (arrival.id.clone(), arrival.source.clone());
    failpoints::hit("b.before_write");
    let outcome = state.store.record(arrival).await.map_err(|error| at_route(error.into()))?;
    failpoints::hit("b.after_write");
    state.counts.count(outcome);
    let status = match outcome {
        Outcome::Applied => StatusCode::CREATED,
        Outcome::Ignored => StatusCode::OK,
    };
    let location = message::location(&id, &source);
    Ok((status, [(LOCATION, location)], Answer(Receipt { id, source, outcome })).into_response())
}

async fn arrival(mut request: Request) -> Result<Arrival, Failure> {
    let headers = std::mem::take(request.headers_mut());
    let mode = event::mode(&headers).map_err(|error| refused(&error))?;
    request.headers_mut().extend(readable(mode, &headers).map(|kind| (CONTENT_TYPE, kind)));
    // Both modes have a body of JSON here; it is checked, and kept as text.
    let Json(body) = Json::<Box<RawValue>>::from_request(request, &()).await?;
    let body = Bytes::from(String::from(Box::<str>::from(body)));
    let event = Event::read(&headers, &body).map_err(|error| refused(&error))?;
    let body = event.json_object().map_err(|error| refused(&error))?.get().to_owned();
    let Event { id, source, kind, .. } = event;
    for (name, value) in [("id", &id), ("source", &source)] {
        if value.len() > LONGEST_KEY {
            let detail = format!("{name} has {} bytes; {LONGEST_KEY} are the most", value.len());
            return Err(at_route(Failure::new(StatusCode::BAD_REQUEST, detail)));
        }
    }
    Ok(Arrival { source, id, kind, body })
}

/// The `Content-Type` for the body's reader: in binary mode every `*/json` and `*/*+json` declares JSON.
fn readable(mode: Mode, headers: &HeaderMap) -> Option<HeaderValue> {
    let told = headers.get(CONTENT_TYPE)?;
    let json = mode == Mode::Structured || told.to_str().is_ok_and(event::declares_json);
    Some(if json { HeaderValue::from_static("application/json") } else { told.clone() })
}

fn refused(error: &event::Error) -> Failure {
    let failure = Failure::new(error.status(), error.to_string());
    at_route(match error.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => failure.with_header(ACCEPT, HeaderValue::from_static(TAKEN)),
        _ => failure,
    })
}

fn at_route(failure: Failure) -> Failure {
    failure.at(api::b::EVENTS_PATH)
}
