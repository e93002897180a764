//! Following a connection's requests, byte by byte of framing: which bytes may go on, which wait for the rest of their
//! head.

use super::chunked::{Chunks, Progress};
use super::head::{self, Framing, Refusal};

/// Blank bytes before a request line; RFC 9112 asks for tolerance of one line.
const MAX_LEADING: usize = 8;

/// The state between two reads.
#[derive(Debug)]
pub(crate) struct Screen {
    at: At,
    max_head: usize,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Head,
    Sized(u64),
    Chunked(Chunks),
    /// A head was refused or a body lost its framing: nothing that follows has a meaning.
    Stopped,
}

/// What to do with the bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// This many, from the first, go on. Those after them are an incomplete head to be shown again with more, or, with
    /// a refusal or when stopped, to be dropped.
    pub(crate) pass: usize,
    /// Whole heads among them.
    pub(crate) heads: u32,
    /// Why the head after them does not go on.
    pub(crate) refusal: Option<Refusal>,
}

impl Screen {
    /// Takes heads of at most `max_head` bytes.
    pub(crate) fn new(max_head: usize) -> Self {
        Self { at: At::Head, max_head }
    }

    /// Nothing that follows is looked at any more.
    pub(crate) fn stopped(&self) -> bool {
        matches!(self.at, At::Stopped)
    }

    /// A request's body is not through yet.
    pub(crate) fn inside_body(&self) -> bool {
        matches!(self.at, At::Sized(_) | At::Chunked(_))
    }

    pub(crate) fn stop(&mut self) {
        self.at = At::Stopped;
    }

    /// Judges `bytes`, which follow those that were passed before.
    pub(crate) fn admit(&mut self, bytes: &[u8]) -> Verdict {
        let mut verdict = Verdict { pass: 0, heads: 0, refusal: None };
        while verdict.pass < bytes.len() {
            let rest = &bytes[verdict.pass..];
            match &mut self.at {
                At::Head => match self.head(rest) {
                    Ok(Some(length)) => {
                        verdict.pass += length;
                        verdict.heads += 1;
                    }
                    Ok(None) => break,
                    Err(refusal) => {
                        self.stop();
                        verdict.refusal = Some(refusal);
                        break;
                    }
                },
                At::Sized(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    verdict.pass += taken;
                    if *left == 0 {
                        self.at = At::Head;
                    }
                }
                At::Chunked(chunks) => match chunks.advance(rest) {
                    Ok(Progress::More) => verdict.pass = bytes.len(),
                    Ok(Progress::Ended(length)) => {
                        verdict.pass += length;
                        self.at = At::Head;
                    }
                    // hyper gets to see what is malformed, and answers it.
                    Err(_malformed) => {
                        verdict.pass = bytes.len();
                        self.stop();
                    }
                },
                At::Stopped => break,
            }
        }
        verdict
    }

    /// The length of the head that `bytes` begin with, once it is whole.
    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > MAX_LEADING {
            return Err(Refusal::Unreadable);
        }
        match head::examine(bytes)? {
            Some((length, _)) if length > self.max_head => Err(Refusal::TooLarge),
            None if bytes.len() > self.max_head => Err(Refusal::TooLarge),
            None => Ok(None),
            Some((length, framing)) => {
                self.at = match framing {
                    Framing::Empty => At::Head,
                    Framing::Length(length) => At::Sized(length),
                    Framing::Chunked => At::Chunked(Chunks::new()),
                };
                Ok(Some(length))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    fn verdict(pass: usize, heads: u32, refusal: Option<Refusal>) -> Verdict {
        Verdict { pass, heads, refusal }
    }

    #[test]
    fn pipelined_requests_with_bodies_of_each_framing_are_followed() {
        let all = format!(
            "{GET}POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n\r\n\r\n\
             POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n{GET}"
        );
        assert_eq!(Screen::new(1024).admit(all.as_bytes()), verdict(all.len(), 4, None));
    }

    #[test]
    fn a_request_that_hides_in_a_body_is_body() {
        let all = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\nGET bad\n\n", "GET bad\n\n".len());
        assert_eq!(Screen::new(1024).admit(all.as_bytes()), verdict(all.len(), 1, None));
    }

    #[test]
    fn an_incomplete_head_waits_for_its_rest() {
        let mut screen = Screen::new(1024);
        let both = format!("{GET}{GET}");
        let shown = &both.as_bytes()[..both.len() - 1];

        assert_eq!(screen.admit(shown), verdict(GET.len(), 1, None));
        assert_eq!(screen.admit(GET.as_bytes()), verdict(GET.len(), 1, None));
    }

    #[test]
    fn nothing_follows_a_refused_head() {
        let mut screen = Screen::new(1024);
        let all = format!("{GET}GET / HTTP/1.1\r\n\r\n{GET}");

        assert_eq!(screen.admit(all.as_bytes()), verdict(GET.len(), 1, Some(Refusal::NoHost)));
        assert!(screen.stopped());
        assert_eq!(screen.admit(GET.as_bytes()), verdict(0, 0, None));
    }

    #[test]
    fn a_head_over_the_limit_is_refused_whether_whole_or_not() {
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(100));
        assert_eq!(Screen::new(64).admit(long.as_bytes()).refusal, Some(Refusal::TooLarge));
        assert_eq!(Screen::new(64).admit(&long.as_bytes()[..80]).refusal, Some(Refusal::TooLarge));
    }

    #[test]
    fn blank_lines_without_end_are_refused() {
        assert_eq!(Screen::new(1024).admit(b"\r\n\r\n").refusal, None);
        assert_eq!(Screen::new(1024).admit(&[b'\n'; 9]).refusal, Some(Refusal::Unreadable));
    }

    #[test]
    fn a_chunked_body_that_lost_its_framing_stops_the_connection() {
        let mut screen = Screen::new(1024);
        let all = format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{GET}");

        assert_eq!(screen.admit(all.as_bytes()), verdict(all.len(), 1, None));
        assert!(screen.stopped());
    }
}
