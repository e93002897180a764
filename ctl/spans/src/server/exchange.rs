//! From a request to its answer.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use super::answer::Answer;
use super::body::Budget;
use super::worker::Worker;
use super::{Config, query, receive};
use crate::Store;

/// A whole body, or one that is written while it is read.
pub(super) type Body = Either<Full<Bytes>, Answer>;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) config: Config,
    pub(super) store: Arc<Store>,
    pub(super) budget: Budget,
    pub(super) worker: Worker,
}

impl Exchange {
    pub(super) fn new(config: Config, store: Arc<Store>) -> io::Result<Self> {
        let worker = Worker::start(store.clone())?;
        Ok(Self { config, store, budget: Budget::new(config.max_bodies), worker })
    }

    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path == "/v1/traces" {
            return if request.method() == Method::POST {
                receive::receive(&self, request).await
            } else {
                other("POST")
            };
        }
        match query::Question::of(path) {
            Some(question) if matches!(*request.method(), Method::GET | Method::HEAD) => {
                query::answer(&self.store, &question, request.uri().query().unwrap_or_default())
            }
            Some(_) => other("GET, HEAD"),
            // Not in Jaeger's form: a reader tells by it that this is no address of its API.
            None => text(StatusCode::NOT_FOUND, "no such path here"),
        }
    }
}

fn other(allowed: &'static str) -> Response<Body> {
    with(text(StatusCode::METHOD_NOT_ALLOWED, "this path knows no such method"), ALLOW, allowed)
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    whole(status, "text/plain", text)
}

pub(super) fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, content_type)
}

pub(super) fn with(mut response: Response<Body>, name: HeaderName, value: &'static str) -> Response<Body> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}
