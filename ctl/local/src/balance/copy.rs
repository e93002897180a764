//! Bytes between two streams, both ways at once, each direction ended for itself.
//!
//! `tokio::io::copy_bidirectional` would do but for two things. It ends at the first error: a server that answers and
//! closes before it has read the whole request breaks the way to it, and its answer would be lost with it. And it
//! holds two buffers for as long as a connection is open, most of which are idle.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Read at a time; one buffer a thread, since it is empty again whenever a task lets go of its thread.
const READ: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both sides said all they had to say.
    Whole,
    /// One broke off: the other is not to take what it got for all there was. Closing alone would tell it so, a reset
    /// does not.
    Broken,
}

/// How one direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The source ended, and the sink was told.
    Ended,
    /// The source broke off.
    Source,
    /// The sink takes no more.
    Sink,
}

/// Passes on what each side sends until both have ended, or one has broken off.
pub(crate) async fn both_ways<A, B, C, D>(left: (A, B), right: (C, D)) -> Outcome
where
    A: AsyncRead + Unpin,
    B: AsyncWrite + Unpin,
    C: AsyncRead + Unpin,
    D: AsyncWrite + Unpin,
{
    let (mut left_reads, mut left_writes) = left;
    let (mut right_reads, mut right_writes) = right;
    let mut there = pin!(one_way(&mut left_reads, &mut right_writes));
    let mut back = pin!(one_way(&mut right_reads, &mut left_writes));
    let (first, there_is_first) = tokio::select! {
        end = &mut there => (end, true),
        end = &mut back => (end, false),
    };
    if first == End::Source {
        return Outcome::Broken;
    }
    // Who takes no more may still have an answer on its way; its end is near when it is gone.
    let second = if there_is_first { back.await } else { there.await };
    if (first, second) == (End::Ended, End::Ended) { Outcome::Whole } else { Outcome::Broken }
}

async fn one_way<R, W>(from: &mut R, to: &mut W) -> End
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut rest = Vec::new();
    loop {
        match poll_fn(|cx| poll_pass(cx, from, to, &mut rest)).await {
            Ok(Passed::Some) => {}
            Ok(Passed::End) => {
                // Where it fails the sink is gone, which its own direction will find.
                let _ = to.shutdown().await;
                return End::Ended;
            }
            Err(end) => return end,
        }
        if !rest.is_empty() {
            if to.write_all(&rest).await.is_err() {
                return End::Sink;
            }
            rest = Vec::new();
        }
    }
}

#[derive(Clone, Copy)]
enum Passed {
    Some,
    End,
}

/// Reads once and writes as much of it as the sink takes now; the rest is put into `rest`.
fn poll_pass<R, W>(cx: &mut Context<'_>, from: &mut R, to: &mut W, rest: &mut Vec<u8>) -> Poll<Result<Passed, End>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    BUFFER.with_borrow_mut(|buffer| {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(from).poll_read(cx, &mut read)).map_err(|_: io::Error| End::Source)?;
        let mut left = read.filled();
        if left.is_empty() {
            return Poll::Ready(Ok(Passed::End));
        }
        while !left.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, left) {
                Poll::Ready(Ok(written @ 1..)) => left = &left[written..],
                Poll::Ready(_) => return Poll::Ready(Err(End::Sink)),
                Poll::Pending => break,
            }
        }
        rest.extend_from_slice(left);
        Poll::Ready(Ok(Passed::Some))
    })
}
