//! A request in absolute form: to its host, and the answer back.

use http::header::HeaderValue;
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::refusal::Refusal;
use super::server::Server;
use super::target::Target;
use super::{Body, fields};
use crate::names::{Names, Unnamed};

/// Without a deadline for the answer: how long a request may take is between its two ends, and a client that leaves
/// takes it along.
pub(super) async fn forward(mut request: Request<Incoming>, names: &Names) -> Result<Response<Body>, Refusal> {
    let Target { host, port } = Target::absolute(request.uri())?;
    let method = request.method().clone();
    if !fields::may_go_on(&method, request.headers_mut()) {
        return Err(Refusal::last_recipient());
    }
    let server = names.dial(&host, port, Unnamed::Ask).await?;
    let told = |error: &hyper::Error| Refusal::no_answer(format!("{host}:{port} did not answer: {error}"));
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(Server::new(server))).await.map_err(|error| told(&error))?;
    // It ends with the answer, or when that is wanted no more; its errors are those of the request.
    tokio::spawn(connection);
    prepare(&mut request)?;
    let answer = sender.send_request(request).await.map_err(|error| told(&error))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Refusal::no_answer(format!("{host}:{port} switched protocols, unasked")));
    }
    let (mut head, body) = answer.into_parts();
    fields::answer(&mut head.headers);
    head.version = Version::HTTP_11;
    Ok(Response::from_parts(head, Either::Left(body)))
}

/// From the absolute form to what the host itself takes (RFC 9112, section 3.2.1).
fn prepare(request: &mut Request<Incoming>) -> Result<(), Refusal> {
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let Some(Ok(authority)) = authority else { return Err(Refusal::malformed("the request names no host")) };
    fields::request(request.headers_mut(), authority);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    *request.version_mut() = Version::HTTP_11;
    Ok(())
}
