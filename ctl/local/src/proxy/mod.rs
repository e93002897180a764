//! The name proxy: an HTTP/1.1 forward proxy (RFC 9110, section 7.6) that knows the names of the services.
//!
//! With `HTTP_PROXY` set to it, a program of any language calls `http://service-b:8001/` as in a cluster. It takes the
//! absolute form (`GET http://HOST/PATH`) and CONNECT; a host that is no service is dialled as it is, so that the
//! variable breaks nothing else. Each request has a connection of its own to the service: balanced like any other, and
//! never one that a draining replica is about to close.
//!
//! Only this machine may use it: connections from elsewhere are reset, whatever address it listens on. What it reaches
//! is what its users reach without it.
//!
//! What hyper leaves open (see `runtime::wire`) is not screened here: a message is parsed once and written anew from
//! what was parsed, so nothing passes that the next parser could read otherwise, and who speaks to this port is a
//! developer of this machine. An `Upgrade` is not passed on; WebSocket clients use CONNECT (RFC 6455, section 4.1).

mod fields;
mod forward;
mod refusal;
mod server;
mod target;
mod tunnel;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::balance::accept;
use crate::names::Names;

pub(crate) use target::Target;
pub(crate) use tunnel::run as run_tunnel;

/// Connections at a time, tunnels included; more are reset.
const MAX_CONNECTIONS: usize = 2048;
/// For a request's head, and for a kept connection to be idle: hyper has one clock for both.
const HEAD: Duration = Duration::from_mins(1);

/// An answer: the service's, or a refusal of ours.
type Body = Either<Incoming, Full<Bytes>>;

/// Serves until it is dropped; connections that are open go on.
pub async fn serve(listener: TcpListener, names: Names) {
    run(listener, names, MAX_CONNECTIONS).await;
}

async fn run(listener: TcpListener, names: Names, cap: usize) {
    let slots = Arc::new(Semaphore::new(cap));
    loop {
        let client = accept(&listener).await;
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) if client.peer_addr().is_ok_and(is_of_this_machine) => {
                tokio::spawn(connection(client, names.clone(), Arc::new(slot)));
            }
            _ => drop(client.set_zero_linger()),
        }
    }
}

fn is_of_this_machine(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

/// Serves one connection; the slot is free again when it has ended, and the tunnel that it may have become.
async fn connection(client: TcpStream, names: Names, slot: Arc<OwnedSemaphorePermit>) {
    let service = service_fn(|request| {
        let (names, slot) = (names.clone(), Arc::clone(&slot));
        async move { Ok::<_, Infallible>(exchange(request, &names, slot).await) }
    });
    // How a connection ends is its client's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(client), service)
        .with_upgrades()
        .await;
}

async fn exchange(request: Request<Incoming>, names: &Names, slot: Arc<OwnedSemaphorePermit>) -> Response<Body> {
    let answered = if request.method() == Method::CONNECT {
        tunnel::connect(request, names, slot).await.map(|()| Response::new(Either::Right(Full::default())))
    } else {
        forward::forward(request, names).await
    };
    answered.unwrap_or_else(|refusal| refusal.answer().map(Either::Right))
}
