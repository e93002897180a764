//! A deadline on every request, except on what is meant to stay open.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tower::{BoxError, Layer, Service};

/// Bounds the wait for an answer's head, and the wait between two pieces of its body.
#[derive(Debug, Clone)]
pub(super) struct DeadlineLayer(pub(super) Duration);

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadline { inner, limit: self.0 }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Deadline<S> {
    inner: S,
    limit: Duration,
}

impl<S, A, B> Service<Request<A>> for Deadline<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes>,
{
    type Response = Response<DeadlineBody<B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let limit = self.limit;
        let between = (!stays_open(&request)).then_some(limit);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = timeout(limit, answer).await?.map_err(Into::into)?;
            Ok(response.map(|body| DeadlineBody::new(body, between)))
        })
    }
}

/// A watch, a followed log or an upgraded connection is silent for as long as nothing happens.
fn stays_open<A>(request: &Request<A>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.headers().contains_key(header::UPGRADE)
        || query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1" | "follow=true" | "follow=1"))
}

/// A body whose next piece must come within `limit`.
#[derive(Debug)]
pub(super) struct DeadlineBody<B> {
    inner: Pin<Box<B>>,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl<B> DeadlineBody<B> {
    fn new(inner: B, limit: Option<Duration>) -> Self {
        let limit = limit.map(|limit| (limit, Box::pin(sleep(limit))));
        Self { inner: Box::pin(inner), limit }
    }
}

impl<B> Body for DeadlineBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = self.inner.as_mut().poll_frame(cx) {
            if let Some((limit, sleep)) = &mut self.limit {
                sleep.as_mut().reset(Instant::now() + *limit);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some((limit, sleep)) = &mut self.limit else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        let stalled = format!("the answer stalled for {limit:?}");
        Poll::Ready(Some(Err(std::io::Error::new(std::io::ErrorKind::TimedOut, stalled).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Empty, StreamBody};
    use tower::{ServiceExt, service_fn};

    type Silent = StreamBody<futures::stream::Pending<Result<Frame<Bytes>, std::io::Error>>>;

    async fn silent(_: Request<Empty<Bytes>>) -> Result<Response<Silent>, BoxError> {
        Ok(Response::new(StreamBody::new(futures::stream::pending())))
    }

    fn get(uri: &str) -> Request<Empty<Bytes>> {
        Request::get(uri).body(Empty::new()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let never = service_fn(|_: Request<Empty<Bytes>>| {
            futures::future::pending::<Result<Response<Empty<Bytes>>, BoxError>>()
        });
        let error = DeadlineLayer(Duration::from_secs(30)).layer(never).oneshot(get("/api")).await.unwrap_err();
        assert!(error.is::<tokio::time::error::Elapsed>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up_but_a_watch_may_be_silent() {
        let service = DeadlineLayer(Duration::from_secs(30)).layer(service_fn(silent));
        let list = service.clone().oneshot(get("/api/v1/pods")).await.unwrap();
        assert!(list.into_body().collect().await.unwrap_err().to_string().contains("stalled"));

        let watch = service.oneshot(get("/api/v1/pods?limit=1&watch=true")).await.unwrap();
        let waited = timeout(Duration::from_hours(1), watch.into_body().collect()).await;
        assert!(waited.is_err(), "a silent watch was cut off");
    }
}
