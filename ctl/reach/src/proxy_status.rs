//! How the relay tells what became of a dial: the `Proxy-Status` header field of RFC 9209.
//!
//! One member, our own, with the parameters `error`, `rcode`, `details` and `next-hop`; the values are strings of
//! RFC 8941 or tokens.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub(crate) const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const NAME: &str = "msctl-relay";

/// Why the relay did not connect, in RFC 9209's words (section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Cluster DNS knows no such name.
    NoSuchName,
    /// Cluster DNS answered an error, or not at all.
    DnsError,
    DnsTimeout,
    /// The address is one that the relay never dials, or outside its ranges.
    Prohibited,
    ConnectionRefused,
    ConnectionTimeout,
    /// No route to the address, or the connection broke off at once.
    Unroutable,
    /// The relay has as many streams as it may.
    Overloaded,
    /// Not a CONNECT, or no host and port.
    BadRequest,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::NoSuchName,
        Self::DnsError,
        Self::DnsTimeout,
        Self::Prohibited,
        Self::ConnectionRefused,
        Self::ConnectionTimeout,
        Self::Unroutable,
        Self::Overloaded,
        Self::BadRequest,
    ];

    const fn token(self) -> &'static str {
        match self {
            Self::NoSuchName => "destination_not_found",
            Self::DnsError => "dns_error",
            Self::DnsTimeout => "dns_timeout",
            Self::Prohibited => "destination_ip_prohibited",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionTimeout => "connection_timeout",
            Self::Unroutable => "destination_ip_unroutable",
            Self::Overloaded => "connection_limit_reached",
            Self::BadRequest => "http_request_error",
        }
    }

    /// The status that RFC 9209 recommends, except that a name which does not exist is the caller's slip: 404.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::NoSuchName => StatusCode::NOT_FOUND,
            Self::Prohibited => StatusCode::FORBIDDEN,
            Self::DnsTimeout | Self::ConnectionTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::DnsError | Self::ConnectionRefused | Self::Unroutable => StatusCode::BAD_GATEWAY,
        }
    }
}

/// The field's value for a refusal.
pub(crate) fn refused(refusal: Refusal, details: &str) -> HeaderValue {
    value(&format!("{NAME}; error={}; details={}", refusal.token(), quoted(details)))
}

/// The field's value for a connection that stands.
pub(crate) fn connected(peer: std::net::SocketAddr) -> HeaderValue {
    value(&format!("{NAME}; next-hop={}", quoted(&peer.to_string())))
}

/// What the header says, if the relay wrote it.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<(Refusal, String)> {
    let field = headers.get(PROXY_STATUS)?.to_str().ok()?;
    let token = parameter(field, "error")?;
    let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.token() == token)?;
    Some((refusal, parameter(field, "details").unwrap_or_default()))
}

/// The address that the relay dialled.
pub(crate) fn next_hop(headers: &HeaderMap) -> Option<std::net::SocketAddr> {
    parameter(headers.get(PROXY_STATUS)?.to_str().ok()?, "next-hop")?.parse().ok()
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(NAME))
}

/// An RFC 8941 string: printable ASCII, quotes and backslashes escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                let _ = write!(out, "\\{character}");
            }
            ' '..='~' => out.push(character),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
}

fn parameter(field: &str, name: &str) -> Option<String> {
    let mut rest = field.strip_prefix(NAME)?;
    while let Some(start) = rest.find(';') {
        rest = rest[start + 1..].trim_start();
        let (key, after) = rest.split_once('=')?;
        let (parsed, remaining) = item(after)?;
        if key == name {
            return Some(parsed);
        }
        rest = remaining;
    }
    None
}

fn item(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut parsed = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((parsed, &quoted[at + 1..])),
            '\\' => parsed.push(characters.next()?.1),
            other => parsed.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: HeaderValue) -> HeaderMap {
        HeaderMap::from_iter([(PROXY_STATUS, value)])
    }

    #[test]
    fn every_refusal_arrives_with_its_details() {
        for sent in Refusal::ALL {
            let details = "no \"service\"; error=dns_error \\ in demo";
            let (received, text) = refusal(&headers(refused(sent, details))).unwrap();
            assert_eq!((received, text.as_str()), (sent, details));
        }
    }

    #[test]
    fn the_dialled_address_arrives() {
        let peer = "[fd00::1]:8000".parse().unwrap();
        assert_eq!(next_hop(&headers(connected(peer))), Some(peer));
        assert_eq!(refusal(&headers(connected(peer))), None);
    }

    #[test]
    fn what_another_proxy_wrote_is_not_ours() {
        let other = HeaderValue::from_static("squid; error=dns_error");
        assert_eq!(refusal(&headers(other)), None);
        assert_eq!(refusal(&headers(HeaderValue::from_static("msctl-relay; error=\"unfinished"))), None);
    }

    #[test]
    fn characters_that_a_header_cannot_hold_are_replaced() {
        let (_, text) = refusal(&headers(refused(Refusal::DnsError, "ä\nb"))).unwrap();
        assert_eq!(text, "??b");
    }
}
