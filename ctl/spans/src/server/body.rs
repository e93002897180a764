//! Reading a request's body, plain or gzip, within limits.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::Request;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Config;

/// Bytes that all bodies together may take, given out in KiB in the order in which they are asked for.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    free: Semaphore,
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("too many spans come at once")]
    Busy,
    #[error("the body did not come in time")]
    Late,
    #[error("the body is no gzip: {0}")]
    Gzip(io::Error),
    #[error("the connection broke off: {0}")]
    Broken(hyper::Error),
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
}

/// A body, and its part of the budget.
#[derive(Debug)]
pub(super) struct Room<'b> {
    budget: &'b Budget,
    part: SemaphorePermit<'b>,
    most: usize,
    pub(super) bytes: Vec<u8>,
    /// Why a write failed, in our own words.
    full: Option<Refusal>,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self { most, free: Semaphore::new(most / KIB) }
    }

    /// Room for a body of so many bytes, when there is some.
    async fn room(&self, bytes: usize, most: usize) -> Result<Room<'_>, Refusal> {
        let bytes = bytes.min(most).min(self.most);
        // Never closed.
        let part = self.free.acquire_many(kib(bytes)).await.map_err(|_| Refusal::Busy)?;
        // What is not written takes no memory.
        Ok(Room { budget: self, part, most, bytes: Vec::with_capacity(bytes), full: None })
    }
}

impl Room<'_> {
    /// Whether there is room for so many bytes, at once.
    fn holds(&mut self, bytes: usize) -> bool {
        let lacking = kib(bytes).saturating_sub(u32::try_from(self.part.num_permits()).unwrap_or(u32::MAX));
        // Some more at once: bodies come in many small pieces.
        let wanted = [lacking.max(STEP), lacking];
        lacking == 0
            || wanted.iter().any(|kib| match self.budget.free.try_acquire_many(*kib) {
                Ok(more) => {
                    self.part.merge(more);
                    true
                }
                Err(_) => false,
            })
    }
}

const KIB: usize = 1024;
/// KiB that a body grows by at least.
const STEP: u32 = 64;

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

impl Write for Room<'_> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + chunk.len();
        let refusal = if length > self.most {
            Refusal::TooLarge(self.most)
        } else if !self.holds(length) {
            Refusal::Busy
        } else {
            self.bytes.extend_from_slice(chunk);
            return Ok(chunk.len());
        };
        self.full = Some(refusal);
        Err(io::ErrorKind::FileTooLarge.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many times its length a packed body is expected to take; it gets more if there is more.
const UNPACKED: usize = 12;
/// What is expected of a body that does not say its length.
const UNSAID: usize = 256 * KIB;

/// The body, unpacked. One that says its length waits for room before it is read: of many that come at once each would
/// get a part otherwise, and none the whole.
pub(super) async fn read<'b>(
    request: Request<Incoming>,
    packing: Packing,
    config: &Config,
    budget: &'b Budget,
) -> Result<Room<'b>, Refusal> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let expected = match packing {
        Packing::None => length.unwrap_or(UNSAID),
        Packing::Gzip => length.map_or(UNSAID, |length| length.saturating_mul(UNPACKED)),
    };
    let room = timeout(config.body_timeout, budget.room(expected, config.max_body));
    let room = room.await.unwrap_or(Err(Refusal::Busy))?;
    let body = request.into_body();
    let read = async {
        match packing {
            Packing::None => write_all(body, room, Room::refusal).await,
            Packing::Gzip => {
                let gzip = MultiGzDecoder::new(room);
                let mut gzip = write_all(body, gzip, |gzip, error| gzip.get_mut().refusal(error)).await?;
                gzip.try_finish().map_err(|error| gzip.get_mut().refusal(error))?;
                gzip.finish().map_err(Refusal::Gzip)
            }
        }
    };
    timeout(config.body_timeout, read).await.unwrap_or(Err(Refusal::Late))
}

impl Room<'_> {
    /// Why a write to it, or to what unpacks for it, failed.
    fn refusal(&mut self, error: io::Error) -> Refusal {
        self.full.take().unwrap_or(Refusal::Gzip(error))
    }
}

/// Writes a body to `out`. What comes after a failure is read and thrown away, up to a bound: a client that can't send
/// on would not see the answer.
async fn write_all<W: Write>(
    mut body: Incoming,
    mut out: W,
    refusal: impl Fn(&mut W, io::Error) -> Refusal,
) -> Result<W, Refusal> {
    let mut refused = None;
    let mut thrown_away = 0;
    while let Some(frame) = body.frame().await {
        // Trailers say nothing here.
        let Ok(chunk) = frame.map_err(Refusal::Broken)?.into_data() else { continue };
        if refused.is_none() {
            refused = write(&mut out, &chunk).err().map(|error| refusal(&mut out, error));
        } else {
            thrown_away += chunk.len();
            if thrown_away > THROWN_AWAY {
                break;
            }
        }
    }
    refused.map_or(Ok(out), Err)
}

/// Bytes of a refused body that are read all the same.
const THROWN_AWAY: usize = 64 << 20;

fn write(out: &mut impl Write, chunk: &Bytes) -> io::Result<()> {
    out.write_all(chunk)
}
