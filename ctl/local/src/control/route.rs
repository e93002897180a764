//! From a request to its answer.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::operations::Operations;
use super::server::Shared;
use super::{Apply, Delete, ReadLogs, Scale, lines};
use crate::{Error, Kind};

pub(super) type Body = BoxBody<Bytes, Infallible>;

/// Specifications of hundreds of services.
const MAX_BODY: usize = 4 << 20;
/// For a whole body: it comes from a process of this machine.
const BODY: Duration = Duration::from_secs(10);

/// All but CONNECT.
pub(super) async fn answer<S: Operations>(shared: &Shared<S>, request: Request<Incoming>) -> Response<Body> {
    routed(shared, request).await.unwrap_or_else(|error| failure(&error))
}

/// What else would ask so?
const OTHER_VERSION: &str = "who asks is of another version than who answers";

async fn routed<S: Operations>(shared: &Shared<S>, request: Request<Incoming>) -> Result<Response<Body>, Error> {
    let supervisor = shared.supervisor.clone();
    let path = request.uri().path().to_owned();
    let expected = match &*path {
        "/info" | "/status" => Method::GET,
        "/started" | "/apply" | "/scale" | "/delete" | "/stop" | "/logs" => Method::POST,
        _ => {
            let mut answer =
                failure(&Error::new(Kind::Usage, format!("`msctl up` has nothing at {path}")).why(OTHER_VERSION));
            *answer.status_mut() = StatusCode::NOT_FOUND;
            return Ok(answer);
        }
    };
    if *request.method() != expected {
        let mut answer = failure(&Error::new(Kind::Usage, format!("{path} takes {expected} only")).why(OTHER_VERSION));
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static(if expected == Method::GET { "GET" } else { "POST" }));
        return Ok(answer);
    }
    Ok(match &*path {
        "/info" => json(StatusCode::OK, &shared.info),
        "/status" => json(StatusCode::OK, &supervisor.status()),
        "/started" => lines::operation(|_| async move { supervisor.started().await }),
        "/apply" => {
            let Apply { specs } = read(request).await?;
            lines::operation(|events| async move { supervisor.apply(specs, events).await })
        }
        "/scale" => {
            let Scale { name, replicas } = read(request).await?;
            lines::operation(|events| async move { supervisor.scale(&name, replicas, events).await })
        }
        "/delete" => {
            let Delete { name } = read(request).await?;
            lines::operation(|events| async move { supervisor.delete(&name, events).await })
        }
        "/stop" => lines::operation(|events| async move {
            supervisor.stop(events).await;
            Ok(())
        }),
        _ => {
            let ReadLogs { mut services, options } = read(request).await?;
            if services.is_empty() {
                services = supervisor.status().into_iter().map(|service| service.name).collect();
            }
            lines::read(supervisor.logs(services, &options), shared.stop.clone())
        }
    })
}

async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Error> {
    let what = format!("cannot read what {} is asked for", request.uri().path());
    let usage = |why: String| Error::new(Kind::Usage, &*what).why(why);
    let body = Limited::new(request.into_body(), MAX_BODY);
    let body = match timeout(BODY, body.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return Err(usage(error.to_string())),
        Err(_) => return Err(usage(format!("it did not come within {} s", BODY.as_secs()))),
    };
    serde_json::from_slice(&body).map_err(|error| usage(error.to_string()))
}

fn failure(error: &Error) -> Response<Body> {
    let status = match error.kind {
        Kind::Usage => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        Kind::Failed | Kind::NotUp | Kind::RolloutFailed | Kind::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
    };
    json(status, error)
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // Nothing in it is of a kind that JSON does not have.
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(BodyExt::boxed(Full::from(json)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
