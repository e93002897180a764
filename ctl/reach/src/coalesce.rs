//! Small writes of many streams, gathered into few.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Beyond this a write goes out at once.
pub(crate) const FULL: usize = 64 << 10;

/// Lets every task that is ready now write before anything is sent.
///
/// A flush first gives the other tasks their turn, on a current-thread runtime all that became ready by the same
/// wake-up; what they write leaves in the same packet. It never waits for time to pass.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    taken: bool,
}

impl Turn {
    pub(crate) fn poll_give(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.taken {
            self.taken = false;
            return Poll::Ready(());
        }
        self.taken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A connection whose writes are gathered until it is flushed.
#[derive(Debug)]
pub(crate) struct Coalesce<T> {
    io: T,
    out: BytesMut,
    turn: Turn,
}

impl<T: AsyncWrite + Unpin> Coalesce<T> {
    pub(crate) fn new(io: T) -> Self {
        Self { io, out: BytesMut::new(), turn: Turn::default() }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Coalesce<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Coalesce<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.out.len() + buf.len() > FULL {
            ready!(self.poll_drain(cx))?;
            if buf.len() >= FULL / 4 {
                return Pin::new(&mut self.io).poll_write(cx, buf);
            }
        }
        self.out.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.out.is_empty() {
            ready!(self.turn.poll_give(cx));
            ready!(self.poll_drain(cx))?;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_was_written_arrives_whole_when_it_is_flushed() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut gathered = Coalesce::new(ours);
        let large = vec![7u8; FULL * 3];
        let expected = large.clone();
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            all
        });
        gathered.write_all(b"one ").await.unwrap();
        gathered.write_all(b"two").await.unwrap();
        gathered.flush().await.unwrap();
        gathered.write_all(&large).await.unwrap();
        gathered.shutdown().await.unwrap();
        let all = reader.await.unwrap();
        assert_eq!(&all[..7], b"one two");
        assert_eq!(all[7..], expected);
    }

    #[tokio::test]
    async fn nothing_leaves_before_a_flush() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut gathered = Coalesce::new(ours);
        gathered.write_all(b"held").await.unwrap();
        let mut buffer = [0u8; 4];
        assert!(futures::FutureExt::now_or_never(theirs.read(&mut buffer)).is_none());
        gathered.flush().await.unwrap();
        theirs.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"held");
    }
}
