//! One port-forward: an HTTP/2 connection, each request on it a CONNECT.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{Method, Request, Response};
use tokio::net::TcpStream;

use super::dial::Refused;
use super::{Relay, pump};
use crate::coalesce::Coalesce;
use crate::flow::{self, Entered, Gauge, Windows};
use crate::proxy_status::{self, PROXY_STATUS, Refusal};

/// Until the client goes, or the relay closes and the open streams have ended.
pub(super) async fn serve(relay: Arc<Relay>, socket: TcpStream) -> Result<(), h2::Error> {
    let mut connection = Builder::new()
        .initial_window_size(flow::STREAM_WINDOW)
        .initial_connection_window_size(flow::CONNECTION_WINDOW)
        .max_concurrent_streams(flow::MAX_STREAMS)
        .max_frame_size(flow::FRAME)
        .max_header_list_size(8 << 10)
        .handshake::<_, Bytes>(Coalesce::new(socket))
        .await?;
    let gauge = Arc::<Gauge>::default();
    let mut windows = Windows::new(Arc::clone(&gauge));
    let mut closing = false;
    loop {
        let next = poll_fn(|cx| {
            windows.poll_adjust(cx, |size| connection.set_initial_window_size(size).is_ok());
            connection.poll_accept(cx)
        });
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = relay.closing.cancelled(), if !closing => {
                closing = true;
                connection.graceful_shutdown();
                continue;
            }
        };
        match accepted {
            None => return Ok(()),
            Some(Err(error)) => return Err(error),
            Some(Ok((request, respond))) => {
                let relay = Arc::clone(&relay);
                let entered = gauge.enter();
                tokio::spawn(async move { answer(&relay, request, respond, entered).await });
            }
        }
    }
}

async fn answer(relay: &Relay, request: Request<RecvStream>, mut respond: SendResponse<Bytes>, _entered: Entered) {
    let _active = relay.activity.enter();
    let connected = tokio::select! {
        connected = connect(relay, &request) => connected,
        // The client gave up; so do we.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    match connected {
        Ok((target, _place)) => {
            let mut response = Response::new(());
            if let Ok(peer) = target.peer_addr() {
                response.headers_mut().insert(PROXY_STATUS, proxy_status::connected(peer));
            }
            if let Ok(to) = respond.send_response(response, false) {
                pump::run(request.into_body(), to, target).await;
            }
        }
        Err(Refused { refusal, details }) => {
            let mut response = Response::new(());
            *response.status_mut() = refusal.status();
            response.headers_mut().insert(PROXY_STATUS, proxy_status::refused(refusal, &details));
            // What the client would still send is of no interest: h2 tells it so (NO_ERROR) once the answer has left. An
            // error here means that the client is gone.
            let _ = respond.send_response(response, true);
        }
    }
}

async fn connect<'a>(
    relay: &'a Relay,
    request: &Request<RecvStream>,
) -> Result<(TcpStream, tokio::sync::SemaphorePermit<'a>), Refused> {
    let authority = request.uri().authority().filter(|_| request.method() == Method::CONNECT);
    let Some((host, port)) = authority.and_then(|authority| Some((authority.host(), authority.port_u16()?))) else {
        return Err(Refused::new(Refusal::BadRequest, "the relay takes CONNECT to HOST:PORT only"));
    };
    let Ok(place) = relay.streams.try_acquire() else {
        let details = format!("the relay has {} streams, as many as it may", relay.config.max_streams);
        return Err(Refused::new(Refusal::Overloaded, details));
    };
    let target = relay.dialer.dial(host, port).await?;
    Ok((target, place))
}
