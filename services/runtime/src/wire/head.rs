//! Judging one request head (RFC 9112).

use std::mem::MaybeUninit;

use http::StatusCode;

/// Header lines in a head; hyper's own bound, so that it never meets a head that it would refuse for this.
const MAX_HEADERS: usize = 100;

/// hyper's bound on a request target.
const MAX_TARGET: usize = u16::MAX as usize - 1;

/// How the body that follows a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Empty,
    Length(u64),
    Chunked,
}

/// Why a head is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unreadable,
    Version,
    TooLarge,
    TargetTooLong,
    Late,
    BareLineFeed,
    NoHost,
    ManyHosts,
    Length,
    Coding,
    LengthAndCoding,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Unreadable => "the request head is not HTTP/1.1",
            Self::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Self::TooLarge => "the request head is larger than this server takes",
            Self::TargetTooLong => "the request target is longer than this server takes",
            Self::Late => "the request head did not arrive in time",
            Self::BareLineFeed => "a line of the request head ends in LF without CR",
            Self::NoHost => "an HTTP/1.1 request needs a Host header",
            Self::ManyHosts => "the request has more than one Host header",
            Self::Length => "Content-Length is not one number",
            Self::Coding => "the only Transfer-Encoding taken here is chunked",
            Self::LengthAndCoding => "the request has both Content-Length and Transfer-Encoding",
        }
    }
}

/// The head at the start of `bytes` and how its body is framed; `None` while it is incomplete.
pub(crate) fn examine(bytes: &[u8]) -> Result<Option<(usize, Framing)>, Refusal> {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(httparse::Error::Version) => return Err(Refusal::Version),
        Err(_) => return Err(Refusal::Unreadable),
    };
    if has_bare_line_feed(&bytes[..length]) {
        return Err(Refusal::BareLineFeed);
    }
    let target = request.path.unwrap_or_default();
    if target.len() > MAX_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    if !is_plain_path(target) && http::Uri::try_from(target).is_err() {
        return Err(Refusal::Unreadable);
    }
    let http_11 = request.version == Some(1);
    Ok(Some((length, framing(request.headers, http_11)?)))
}

fn framing(headers: &[httparse::Header<'_>], http_11: bool) -> Result<Framing, Refusal> {
    let mut hosts = 0;
    let mut length: Option<u64> = None;
    let mut coding: Option<&[u8]> = None;
    for header in headers {
        match header.name.len() {
            4 if header.name.eq_ignore_ascii_case("host") => hosts += 1,
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let told = number(header.value).ok_or(Refusal::Length)?;
                if length.replace(told).is_some_and(|earlier| earlier != told) {
                    return Err(Refusal::Length);
                }
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                let earlier = coding.replace(header.value);
                earlier.map_or(Ok(()), |_| Err(Refusal::Coding))?;
            }
            _ => {}
        }
    }
    match (hosts, http_11) {
        (1, _) | (0, false) => {}
        (0, true) => return Err(Refusal::NoHost),
        _ => return Err(Refusal::ManyHosts),
    }
    match (length, coding) {
        (Some(_), Some(_)) => Err(Refusal::LengthAndCoding),
        // Only `chunked` itself: nobody decodes another coding here, so `gzip, chunked` would reach the handler as
        // gzip.
        (None, Some(coding)) if http_11 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (None, Some(_)) => Err(Refusal::Coding),
        (None | Some(0), None) => Ok(Framing::Empty),
        (Some(length), None) => Ok(Framing::Length(length)),
    }
}

/// Whether a target is a path that needs no parser to be known as good: what nearly every request has.
fn is_plain_path(target: &str) -> bool {
    target.starts_with('/')
        && target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~?=&%+,:;@!$'()*".contains(&byte))
}

/// A Content-Length: digits only, as hyper reads it. The largest two values mean other things to hyper.
fn number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = str::from_utf8(value).ok()?.parse().ok()?;
    (number < u64::MAX - 1).then_some(number)
}

/// Counted rather than searched for: both counts are plain loops that the compiler turns into SIMD.
fn has_bare_line_feed(head: &[u8]) -> bool {
    let feeds: usize = head.iter().map(|byte| usize::from(*byte == b'\n')).sum();
    let pairs: usize = head.iter().zip(head.iter().skip(1)).map(|(a, b)| usize::from(*a == b'\r' && *b == b'\n')).sum();
    feeds != pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Result<Option<Framing>, Refusal> {
        examine(head.as_bytes()).map(|found| {
            found.map(|(length, framing)| {
                assert_eq!(length, head.len());
                framing
            })
        })
    }

    #[test]
    fn the_framing_of_the_body_is_found() {
        assert_eq!(judged("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), Ok(Some(Framing::Empty)));
        assert_eq!(judged("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n"), Ok(Some(Framing::Length(15))));
        assert_eq!(
            judged("POST / HTTP/1.1\r\nHOST: a\r\ntransfer-encoding: Chunked\r\n\r\n"),
            Ok(Some(Framing::Chunked))
        );
        assert_eq!(judged("GET / HTTP/1.0\r\n\r\n"), Ok(Some(Framing::Empty)));
    }

    #[test]
    fn a_head_that_is_not_whole_yet_is_neither_taken_nor_refused() {
        let whole = "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(judged(&whole[..end]), Ok(None), "{:?}", &whole[..end]);
        }
        assert_eq!(judged(whole), Ok(Some(Framing::Empty)));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let cases = [
            ("host: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n", Refusal::LengthAndCoding),
            ("host: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n", Refusal::LengthAndCoding),
            ("host: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n", Refusal::Length),
            ("host: a\r\ncontent-length: +3\r\n", Refusal::Length),
            ("host: a\r\ncontent-length: 3, 3\r\n", Refusal::Length),
            ("host: a\r\ncontent-length: 18446744073709551615\r\n", Refusal::Length),
            ("host: a\r\ntransfer-encoding: gzip\r\n", Refusal::Coding),
            ("host: a\r\ntransfer-encoding: chunked, gzip\r\n", Refusal::Coding),
            ("host: a\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", Refusal::Coding),
            ("accept: */*\r\n", Refusal::NoHost),
            ("host: a\r\nhost: a\r\n", Refusal::ManyHosts),
            ("host: a\nx: y\r\n", Refusal::BareLineFeed),
            ("host : a\r\n", Refusal::Unreadable),
            ("host: a\r\n b\r\n", Refusal::Unreadable),
            ("no colon\r\n", Refusal::Unreadable),
        ];
        for (headers, refusal) in cases {
            let head = format!("POST / HTTP/1.1\r\n{headers}\r\n");
            assert_eq!(judged(&head), Err(refusal), "{head:?}");
        }
    }

    #[test]
    fn a_bare_line_feed_is_found_in_the_request_line_and_at_the_end() {
        assert_eq!(judged("GET / HTTP/1.1\nhost: a\r\n\r\n"), Err(Refusal::BareLineFeed));
        assert_eq!(judged("GET / HTTP/1.1\r\nhost: a\r\n\n"), Err(Refusal::BareLineFeed));
    }

    #[test]
    fn other_protocols_and_too_many_headers_have_their_own_refusals() {
        assert_eq!(judged("PRI * HTTP/2.0\r\n\r\n"), Err(Refusal::Version));
        assert_eq!(judged("\u{16}\u{3}\u{1}"), Err(Refusal::Unreadable));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
        assert_eq!(judged(&many), Err(Refusal::TooLarge));
    }

    #[test]
    fn http_1_0_may_leave_the_host_out_but_not_use_transfer_codings() {
        assert_eq!(judged("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"), Err(Refusal::Coding));
    }
}
