//! The seed's client: one call, its whole answer.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Client;
use crate::config::Config;
use crate::error::{Error, Kind, Target};

/// The largest body that is read into memory.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// For whoever calls without a configuration: long enough for a slow answer, short enough to notice that there is none.
const TIMEOUT: Duration = Duration::from_secs(30);

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
/// Connections are kept and shared by all calls of the process. The deadline is 30 s, the answer's body at most 16 MiB; [`Client`]
/// has both to choose.
pub async fn send_request(url: &str, method: Method, data: Option<&Value>) -> Result<Response, Error> {
    static SHARED: OnceLock<Client> = OnceLock::new();
    let client = SHARED.get_or_init(|| Client::new(Config { timeout: TIMEOUT, ..Config::default() }));
    send(client, url, method, data).await
}

pub(crate) async fn send(client: &Client, url: &str, method: Method, data: Option<&Value>) -> Result<Response, Error> {
    let uri: Uri = url.parse().map_err(|cause: http::uri::InvalidUri| {
        Error::new(Kind::Url, Target::unparsed(&method, url), Some(cause.into()))
    })?;
    let target = Target::new(&method, &uri);
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    if let Some(data) = data {
        let json =
            serde_json::to_vec(data).map_err(|cause| Error::new(Kind::Json, target.clone(), Some(cause.into())))?;
        *request.body_mut() = json.into();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let (head, body) = client.send(request).await?.into_parts();
    Ok(Response { status: head.status, headers: head.headers, body: body.bytes(MAX_BODY).await?, target })
}
