//! Finding the end of a chunked body (RFC 9112, section 7.1), so that the head after it can be judged.
//!
//! Nothing is decoded: hyper does that. What is malformed here is malformed for hyper too, or its reader is laxer; in
//! both cases nothing that follows is passed on.

/// Bytes in the trailers, and in a chunk's extensions; hyper's bounds are of this order.
const MAX_EXTRA: usize = 16 * 1024;

/// Where in a chunked body the next byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: At,
    /// The size of the current chunk: read so far, then left.
    size: u64,
    extra: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    SizeStart,
    Size,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataEndFeed,
    TrailerStart,
    Trailer,
    TrailerEnd,
    Last,
}

/// How far a body goes in the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All of them belong to the body, which goes on.
    More,
    /// The body ends after this many.
    Ended(usize),
}

/// A chunked body that can't be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Chunks {
    pub(crate) fn new() -> Self {
        Self { at: At::SizeStart, size: 0, extra: 0 }
    }

    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Progress, Malformed> {
        let mut index = 0;
        while index < bytes.len() {
            if self.at == At::Data {
                let left = usize::try_from(self.size).unwrap_or(usize::MAX);
                let taken = left.min(bytes.len() - index);
                self.size -= taken as u64;
                index += taken;
                if self.size == 0 {
                    self.at = At::DataEnd;
                }
                continue;
            }
            let ended = self.step(bytes[index])?;
            index += 1;
            if ended {
                return Ok(Progress::Ended(index));
            }
        }
        Ok(Progress::More)
    }

    /// Takes one byte outside of a chunk's data; true when it was the body's last.
    fn step(&mut self, byte: u8) -> Result<bool, Malformed> {
        self.at = match (self.at, byte) {
            (At::SizeStart | At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                let shifted = self.size.checked_mul(16).ok_or(Malformed)?;
                self.size = shifted + u64::from(digit);
                At::Size
            }
            (At::Size | At::Extension, b'\r') => At::SizeEnd,
            (At::Size, b';' | b' ' | b'\t') => self.one_more(At::Extension)?,
            (At::Extension, byte) if byte != b'\n' => self.one_more(At::Extension)?,
            (At::SizeEnd, b'\n') if self.size == 0 => At::TrailerStart,
            (At::SizeEnd, b'\n') => At::Data,
            (At::DataEnd, b'\r') => At::DataEndFeed,
            (At::DataEndFeed, b'\n') => At::SizeStart,
            (At::TrailerStart, b'\r') => At::Last,
            (At::Trailer, b'\r') => At::TrailerEnd,
            (At::TrailerStart | At::Trailer, byte) if byte != b'\n' => self.one_more(At::Trailer)?,
            (At::TrailerEnd, b'\n') => At::TrailerStart,
            (At::Last, b'\n') => return Ok(true),
            _ => return Err(Malformed),
        };
        Ok(false)
    }

    fn one_more(&mut self, next: At) -> Result<At, Malformed> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(Malformed) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"5\r\nhello\r\n00a;ext=\"x\"\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n";

    #[test]
    fn the_end_is_found_wherever_the_reads_split_the_body() {
        for split in 0..BODY.len() {
            let mut chunks = Chunks::new();
            let (first, rest) = BODY.split_at(split);
            assert_eq!(chunks.advance(first), Ok(Progress::More), "{split}");
            let mut rest = rest.to_vec();
            rest.extend_from_slice(b"GET / HTTP/1.1\r\n");
            assert_eq!(chunks.advance(&rest), Ok(Progress::Ended(BODY.len() - split)), "{split}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_malformed() {
        let cases: [&[u8]; 8] = [
            b"\r\n",
            b"x\r\n",
            b"5\nhello",
            b"2\r\nhello\r\n",
            b"2\r\nhe\n",
            b"0\r\n\n",
            b"0\r\nx: y\nz: w\r\n\r\n",
            b"10000000000000000\r\n",
        ];
        for case in cases {
            assert_eq!(Chunks::new().advance(case), Err(Malformed), "{case:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let mut body = b"1;".to_vec();
        body.resize(MAX_EXTRA + 10, b'x');
        assert_eq!(Chunks::new().advance(&body), Err(Malformed));
    }
}
