//! CONNECT: bytes both ways (RFC 9110, section 9.3.6).

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::refusal::Refusal;
use super::target::Target;
use crate::balance::{Outcome, both_ways};
use crate::names::{Names, Unnamed};

/// Returns when the tunnel stands; it is used once the answer has left, and holds `slot`.
pub(super) async fn connect(
    mut request: Request<Incoming>,
    names: &Names,
    slot: Arc<OwnedSemaphorePermit>,
) -> Result<(), Refusal> {
    let target = Target::connect(&request)?;
    let server = names.dial(&target.host, target.port, Unnamed::Ask).await?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // Failed when the client left before it had its answer.
        let Ok(upgraded) = upgrade.await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
        let mut client = parts.io.into_inner();
        if run(client.split(), parts.read_buf, server).await == Outcome::Broken {
            let _ = client.set_zero_linger();
        }
        drop(slot);
    });
    Ok(())
}

/// Passes on what each side sends, from the client's `early` bytes on, which came with its CONNECT. The server hears of
/// it when the client breaks off; the other way round it is for the caller to tell.
pub(crate) async fn run<R, W>(client: (R, W), early: Bytes, mut server: TcpStream) -> Outcome
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (reads, writes) = client;
    let outcome = both_ways(((&early[..]).chain(reads), writes), server.split()).await;
    if outcome == Outcome::Broken {
        let _ = server.set_zero_linger();
    }
    outcome
}
