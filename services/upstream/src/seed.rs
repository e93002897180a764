//! The seed's client: one call, its whole answer.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;
use telemetry::FutureExt as _;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::error::{Error, Kind, Target};
use crate::worker::{Work, Worker};

/// The largest body that is read into memory.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A whole answer, of whatever status.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    target: Target,
}

impl Response {
    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|cause| Error::new(Kind::Json, self.target.clone(), Some(cause.into())))
    }
}

/// Sends one request; `data` becomes a JSON body.
///
/// Connections are kept and shared by all calls of the process, on a thread of their own, so it may be called from any
/// runtime. The deadline is 30 s, the answer's body at most 16 MiB; [`Client`] has both to choose.
pub async fn send_request(url: &str, method: Method, data: Option<&Value>) -> Result<Response, Error> {
    let target = Target::unparsed(&method, url);
    let (sender, receiver) = oneshot::channel();
    let work = start(url, method, data, move |answer| {
        // Without a receiver the caller has given up.
        let _ = sender.send(answer);
    })?;
    let answer = receiver.await;
    drop(work);
    answer.unwrap_or_else(|_| Err(Error::new(Kind::Broken, target, Some("the client's thread has ended".into()))))
}

/// Begins a call on the worker's thread, in the caller's trace; `done` gets the answer. Given up when the result is
/// dropped.
pub(crate) fn start(
    url: &str,
    method: Method,
    data: Option<&Value>,
    done: impl FnOnce(Result<Response, Error>) + Send + 'static,
) -> Result<Work<()>, Error> {
    let request = request(url, method, data)?;
    let worker = Worker::get().map_err(|cause| {
        Error::new(Kind::Connect, Target::new(request.method(), request.uri()), Some(cause.to_string().into()))
    })?;
    let call = async move { done(call(&worker.client, request).await) };
    Ok(worker.run(call.with_context(telemetry::Context::current())))
}

fn request(url: &str, method: Method, data: Option<&Value>) -> Result<Request<Bytes>, Error> {
    let error = |kind, cause| Error::new(kind, Target::unparsed(&method, url), Some(cause));
    let uri: Uri = url.parse().map_err(|cause: InvalidUri| error(Kind::Url, cause.into()))?;
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = uri;
    if let Some(data) = data {
        let json = serde_json::to_vec(data).map_err(|cause| error(Kind::Json, cause.into()))?;
        *request.body_mut() = json.into();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    *request.method_mut() = method;
    Ok(request)
}

async fn call(client: &Client, request: Request<Bytes>) -> Result<Response, Error> {
    let target = Target::new(request.method(), request.uri());
    let (head, body) = client.send(request).await?.into_parts();
    Ok(Response { status: head.status, headers: head.headers, body: body.bytes(MAX_BODY).await?, target })
}
