//! `GET /service-b`: the synchronous hop.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use runtime::Failure;
use upstream::Template;

/// The largest answer of B that is passed on, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Calls B's `GET /` and passes its answer on: content type and body.
///
/// An answer of B other than 200 becomes 502, and so does none, or 504 when B was too slow. The client is told what
/// happened; B's address and the causes are the log's.
#[cfg_attr(test, utoipa::path(
    get,
    path = api::a::SERVICE_B_PATH,
    operation_id = "callServiceB",
    tag = "greeting",
    summary = "Calls service B and passes its greeting on.",
    description = "The content type and the body of B's `GET /`, of 64 KiB at most. The whole call, retries included, \
        ends after UPSTREAM_TIMEOUT.",
    responses(
        (status = 200, description = "B's greeting.", body = String, content_type = "text/plain",
            example = json!(api::b::HELLO)),
        (status = 502, description = "B can't be reached, or its answer is no 200 or can't be passed on.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
        (status = 504, description = "B did not answer in time.", body = api::Problem, content_type = api::Problem::CONTENT_TYPE),
    ),
))]
pub(crate) async fn call(State(state): State<crate::state::State>) -> Result<Response, Failure> {
    let mut request = Request::new(Bytes::new());
    request.uri_mut().clone_from(&state.service_b);
    request.extensions_mut().insert(Template(api::b::ROOT_PATH));
    let (head, body) = state.upstream.send(request).await.map_err(|error| away(&error))?.into_parts();
    if head.status != StatusCode::OK {
        tracing::warn!("{} at {} answered {}", api::b::NAME, state.service_b, head.status);
        return Err(at_route(StatusCode::BAD_GATEWAY, format!("{} answered {}", api::b::NAME, head.status)));
    }
    let body = body.bytes(MAX_BODY).await.map_err(|error| away(&error))?;
    let mut answer = Response::new(Body::from(body));
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        answer.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    Ok(answer)
}

fn away(error: &upstream::Error) -> Failure {
    let status = if error.is_timeout() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    tracing::warn!("{} did not answer: {}", api::b::NAME, error.report());
    at_route(status, format!("{} did not answer: {}", api::b::NAME, error.kind().what()))
}

fn at_route(status: StatusCode, detail: String) -> Failure {
    Failure::new(status, detail).at(api::a::SERVICE_B_PATH)
}
