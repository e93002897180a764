//! CONNECT: a connection to a service, through the control socket.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

use super::route::{Body, json};
use crate::names::{DialError, Names, Unnamed};
use crate::proxy::{Target, run_tunnel};
use crate::{Error, Kind};

/// Dials, and answers when the connection stands, which holds `slot`. A name without a dot is a service's or an error: other hosts are the
/// caller's own to reach.
///
/// A Unix socket can't be reset as a TCP connection can: what breaks off ends here without a word.
pub(super) async fn connect(
    mut request: Request<Incoming>,
    names: &Names,
    slot: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    let target = match Target::connect(&request) {
        Ok(target) => target,
        Err(refusal) => return json(refusal.status, &Error::new(Kind::Usage, refusal.detail)),
    };
    let server = match names.dial(&target.host, target.port, Unnamed::Refuse).await {
        Ok(server) => server,
        Err(error) => return json(status(&error), &error),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Failed when the client left before it had its answer.
        let Ok(upgraded) = upgrade.await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<UnixStream>>() else { return };
        let mut client = parts.io.into_inner();
        run_tunnel(client.split(), parts.read_buf, server).await;
        drop(slot);
    });
    Response::new(BodyExt::boxed(Empty::new()))
}

fn status(error: &DialError) -> StatusCode {
    match error {
        DialError::Name { .. } | DialError::NoHost { .. } => StatusCode::NOT_FOUND,
        DialError::NotReady { .. } => StatusCode::SERVICE_UNAVAILABLE,
        DialError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        DialError::Refused { .. } | DialError::Unreachable { .. } => StatusCode::BAD_GATEWAY,
    }
}
