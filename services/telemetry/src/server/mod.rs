//! The server's side of a hop: one SERVER span and one measurement a request.
//!
//! The span covers the request from its head to the answer's head; a body that is streamed afterwards is not part of it.
//! A request whose future is dropped before there is an answer (the caller went away) ends as `cancelled`.

mod hop;

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::Telemetry;
use hop::Hop;

/// Traces and measures every request of an axum router.
///
/// To be the last `.layer(…)` on the router, which makes it the outermost one that still knows the route's template
/// ([`axum::extract::MatchedPath`]). The admin port's router goes without.
pub fn layer(telemetry: &Telemetry) -> ServerLayer {
    ServerLayer { telemetry: telemetry.clone() }
}

/// See [`layer`].
#[derive(Clone, Debug)]
pub struct ServerLayer {
    telemetry: Telemetry,
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { inner, telemetry: self.telemetry.clone() }
    }
}

/// A service whose requests are traced and measured.
#[derive(Clone, Debug)]
pub struct Server<S> {
    inner: S,
    telemetry: Telemetry,
}

impl<S, B, R> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let hop = Hop::start(&self.telemetry, &request);
        let inner = {
            let _current = hop.context().clone().attach();
            self.inner.call(request)
        };
        ServerFuture { inner, hop }
    }
}

pin_project! {
    /// The answer to a traced request.
    #[derive(Debug)]
    pub struct ServerFuture<F> {
        #[pin]
        inner: F,
        hop: Hop,
    }
}

impl<F, R, E> Future for ServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = {
            let _current = this.hop.context().clone().attach();
            ready!(this.inner.poll(context))
        };
        match &result {
            Ok(response) => this.hop.answered(response.status()),
            // The connection ends here; axum's routers never take this way.
            Err(_) => this.hop.unanswered("service_error"),
        }
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests;
