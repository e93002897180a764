//! Bytes between a stream and a TCP connection, both ways at once.

use std::future::poll_fn;
use std::io;

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// Read at a time. An idle connection holds no buffer.
const READ: usize = 16 << 10;

/// Which side broke off.
enum Broken {
    Stream,
    Target,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Target
    }
}

/// Until both directions have ended, each for itself, or one broke: then the other side is reset.
pub(super) async fn run(mut from: RecvStream, mut to: SendStream<Bytes>, mut target: TcpStream) {
    let (mut read, mut write) = target.split();
    let mut answered = false;
    let done = tokio::try_join!(upwards(&mut from, &mut write), downwards(&mut to, &mut read, &mut answered));
    let Err(broken) = done else { return };
    // RFC 9113 section 8.5: an error on either side is a reset on the other.
    let _ = target.set_zero_linger();
    match broken {
        Broken::Stream => to.send_reset(Reason::CANCEL),
        // It answered in full and then refused the rest of the request (section 8.1): the answer counts. A reset here
        // would overtake it; h2 sends one with NO_ERROR after it, when both handles are dropped.
        Broken::Target if answered => {}
        Broken::Target => to.send_reset(Reason::CONNECT_ERROR),
    }
}

async fn upwards(from: &mut RecvStream, target: &mut WriteHalf<'_>) -> Result<(), Broken> {
    while let Some(chunk) = from.data().await {
        let chunk = chunk.map_err(|_| Broken::Stream)?;
        target.write_all(&chunk).await?;
        from.flow_control().release_capacity(chunk.len()).map_err(|_| Broken::Stream)?;
    }
    target.shutdown().await?;
    Ok(())
}

async fn downwards(to: &mut SendStream<Bytes>, target: &mut ReadHalf<'_>, answered: &mut bool) -> Result<(), Broken> {
    loop {
        tokio::select! {
            _ = poll_fn(|cx| to.poll_reset(cx)) => return Err(Broken::Stream),
            ready = target.readable() => ready?,
        }
        let mut buffer = BytesMut::with_capacity(READ);
        match target.try_read_buf(&mut buffer) {
            Ok(0) => {
                *answered = true;
                return to.send_data(Bytes::new(), true).map_err(|_| Broken::Stream);
            }
            Ok(_) => send(to, buffer).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks for no more capacity than there is data: what one stream holds of the connection's window, others lack.
async fn send(to: &mut SendStream<Bytes>, mut data: BytesMut) -> Result<(), Broken> {
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        match poll_fn(|cx| to.poll_capacity(cx)).await {
            Some(Ok(capacity)) => {
                let piece = data.split_to(capacity.min(data.len()));
                to.send_data(piece.freeze(), false).map_err(|_| Broken::Stream)?;
            }
            _ => return Err(Broken::Stream),
        }
    }
    Ok(())
}
