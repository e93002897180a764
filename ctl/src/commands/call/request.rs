//! From the command line to the request that is sent, with every mistake found before anything is.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, RANGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{body, prefer};
use crate::cli::call::CallArgs;
use crate::error::Error;
use crate::target::{Host, Target};
use crate::way::Stage;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Headers that frame the message or belong to the connection: the client writes them itself, and a second, different
/// one would let two servers on the way read two different requests (RFC 9112, section 11.2).
const OURS: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// What is sent, but for where to: that may need the cluster.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) target: Target,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Outgoing {
    /// Reads the body last: it may take its time, which `stage` then says.
    pub(super) async fn from_args(args: &CallArgs, stage: &Stage) -> Result<Self, Error> {
        let target: Target = args.target.parse().map_err(|cause: crate::target::TargetError| {
            Error::usage(format!("`{}` is no target", args.target)).why(cause.to_string()).next(cause.hint())
        })?;
        let given = headers(&args.headers)?;
        let method = method(args.method.as_deref(), args.data.is_some())?;
        let mut headers = defaults(args.data.is_some());
        for (name, _) in &given {
            headers.remove(name);
        }
        headers.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let body = match &args.data {
            Some(data) => body::read(data, stage).await?,
            None => Bytes::new(),
        };
        check_json(&headers, &body)?;
        if args.asynchronous {
            prefer::respond_async(&mut headers, &method, &body)?;
        }
        Ok(Self { target, method, headers, body })
    }
}

impl Outgoing {
    /// A question for what this request has led to: from the same caller, without what was said of this request alone.
    pub(super) fn question(&self, path: String) -> Self {
        let mut headers = self.headers.clone();
        let own = |name: &HeaderName| {
            let text = name.as_str();
            [&prefer::PREFER, &RANGE].contains(&name)
                || ["content-", "if-"].iter().any(|begin| text.starts_with(begin))
                || ["expect", "idempotency-key"].contains(&text)
        };
        for name in self.headers.keys().filter(|name| own(name)) {
            headers.remove(name);
        }
        let target = Target { path, ..self.target.clone() };
        Self { target, method: Method::GET, headers, body: Bytes::new() }
    }

    /// `NAME[.NAMESPACE][:PORT]/PATH` without the query, which may hold what is nobody's business.
    pub(super) fn shown_target(&self) -> String {
        let host = match &self.target.host {
            Host::Service(service) => service.to_string(),
            Host::Other(host) => format!("http://{host}"),
        };
        let port = self.target.port.map_or(String::new(), |port| format!(":{port}"));
        let path = self.target.path.split('?').next().unwrap_or_default();
        format!("{host}{port}{path}")
    }
}

fn defaults(has_body: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let agent = concat!("msctl/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    if has_body {
        headers.insert(CONTENT_TYPE, JSON);
    }
    headers
}

fn method(given: Option<&str>, has_body: bool) -> Result<Method, Error> {
    let Some(given) = given else { return Ok(if has_body { Method::POST } else { Method::GET }) };
    let refused = || {
        Error::usage(format!("`{given}` is no method that can be sent"))
            .next("use a word such as GET, POST, PUT, PATCH or DELETE")
    };
    match Method::from_bytes(given.as_bytes()) {
        Ok(Method::CONNECT) => Err(refused().why("CONNECT opens a tunnel, and has no answer to print")),
        Ok(method) => Ok(method),
        Err(_) => Err(refused().why("a method is letters, digits and some signs, without a space (RFC 9110, 9.1)")),
    }
}

/// Each header with its value; `NAME:` has none, `NAME;` an empty one, as with curl.
fn headers(given: &[String]) -> Result<Vec<(HeaderName, Option<HeaderValue>)>, Error> {
    given.iter().map(|text| header(text)).collect()
}

fn header(text: &str) -> Result<(HeaderName, Option<HeaderValue>), Error> {
    let refused =
        |why: &str| Error::usage(format!("`{text}` is no header")).why(why).next("write --header 'NAME: VALUE'");
    let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
        (None, Some(name)) => (name, Some("")),
        (None, None) => return Err(refused("there is no `:` between its name and its value")),
    };
    let name: HeaderName =
        name.trim().parse().map_err(|_| refused("its name holds a letter that a header name cannot"))?;
    if OURS.contains(&name.as_str()) {
        return Err(refused(&format!("`{name}` belongs to the connection and is written by msctl itself")));
    }
    if name == HOST && value.is_none() {
        return Err(refused("a request without `host` is malformed"));
    }
    let value = value
        .map(HeaderValue::from_str)
        .transpose()
        .map_err(|_| refused("its value holds a letter that a header value cannot"))?;
    Ok((name, value))
}

/// A body that claims to be JSON is: a service's 400 would say less, and later.
fn check_json(headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if body.is_empty() || (kind != "application/json" && !kind.ends_with("+json")) {
        return Ok(());
    }
    let Err(cause) = serde_json::from_slice::<serde::de::IgnoredAny>(body) else { return Ok(()) };
    // serde_json ends its message with the same place.
    let message = cause.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Err(Error::usage(format!("the body is sent as {kind} and is no JSON"))
        .why(format!("line {}, column {}: {message}", cause.line(), cause.column()))
        .place("--data")
        .next("to send it as it is, say what it is: --header 'content-type: text/plain'"))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
