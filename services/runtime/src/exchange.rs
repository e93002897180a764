//! One request of a connection: from hyper to the router and back.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body as AxumBody, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tower::Service as _;

use crate::config::Limits;
use crate::drain::{Drain, Phase};
use crate::intake::{Intake, Whole};
use crate::problem::Failure;
use crate::wire::{Line, Refusal};

/// What answers requests: the service's router, and the one for heads that were refused, which has the same layers.
#[derive(Clone, Debug)]
pub(crate) struct Routers {
    app: Router,
    refusing: Router,
}

impl Routers {
    /// With a trace and metrics for every request.
    pub(crate) fn observed(app: Router, telemetry: &telemetry::Telemetry) -> Self {
        let layer = telemetry::server::layer(telemetry);
        Self {
            app: crate::problem::dress(app).layer(layer.clone()),
            refusing: Router::new().fallback(refuse).layer(layer),
        }
    }

    /// Without: for probes, which would drown what matters.
    pub(crate) fn plain(app: Router) -> Self {
        Self { app: crate::problem::dress(app), refusing: Router::new().fallback(refuse) }
    }
}

async fn refuse(request: Request) -> Response {
    let refusal = request.extensions().get().copied().unwrap_or(Refusal::Unreadable);
    tracing::debug!(?refusal, "a request head was refused");
    Failure::new(refusal.status(), refusal.detail()).closing().into_response()
}

/// hyper's view of the service, one for each connection.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) routers: Arc<Routers>,
    pub(crate) line: Arc<Line>,
    pub(crate) drain: Drain,
    pub(crate) limits: Arc<Limits>,
}

impl hyper::service::Service<Request<Incoming>> for Exchange {
    type Response = http::Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let refusal = self.line.begin();
        let busy = Busy(self.line.clone());
        let mut whole = None;
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                return AxumBody::empty();
            }
            let intake = Intake::new(body, self.limits.max_body, self.limits.body_timeout);
            whole = Some(intake.whole());
            AxumBody::new(intake)
        });
        let mut router = match refusal {
            None => self.routers.app.clone(),
            Some(refusal) => {
                request.extensions_mut().insert(refusal);
                self.routers.refusing.clone()
            }
        };
        Answering { route: router.call(request), busy: Some(busy), whole, drain: self.drain.clone() }
    }
}

/// An answer in the making.
pub(crate) struct Answering {
    route: RouteFuture<Infallible>,
    busy: Option<Busy>,
    /// Of the request's body, when it has one.
    whole: Option<Whole>,
    drain: Drain,
}

impl Future for Answering {
    type Output = Result<http::Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(Pin::new(&mut self.route).poll(cx))?;
        // hyper closes after an answer that came before the body's end: a client that was not told would lose its next
        // request to that.
        let unread = self.whole.as_ref().is_some_and(|whole| !whole.is_reached());
        // While the endpoints propagate, kept clients would stay with us to the end: this sends them to other replicas.
        if unread || self.drain.reached(Phase::Leaving) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let busy = self.busy.take();
        Poll::Ready(Ok(response.map(|body| Answer { body, _busy: busy })))
    }
}

/// Marks the connection as busy until the answer's body is through, or dropped.
#[derive(Debug)]
struct Busy(Arc<Line>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer's body.
#[derive(Debug)]
pub(crate) struct Answer {
    body: AxumBody,
    _busy: Option<Busy>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
