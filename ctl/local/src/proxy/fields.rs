//! Which header fields go further than the next hop (RFC 9110, section 7.6.1).

use http::header::{
    CONNECTION, CONTENT_LENGTH, Entry, HOST, HeaderName, HeaderValue, MAX_FORWARDS, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method};

/// Those that are about one connection even where `Connection` does not say so. `Trailer` is not: trailers are passed
/// on.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    // Between a client and this proxy, which asks for none.
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Makes a request's fields ready for the connection to `host`, which takes this request only.
pub(super) fn request(fields: &mut HeaderMap, host: HeaderValue) {
    let trailers = members(fields, &TE).any(|coding| coding.eq_ignore_ascii_case("trailers"));
    strip(fields);
    // RFC 9112, section 3.2.2: the target counts, not what the client put there.
    fields.insert(HOST, host);
    // The answer's trailers are passed on too; TE has to be named in Connection.
    let connection = if trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
        "close, te"
    } else {
        "close"
    };
    fields.insert(CONNECTION, HeaderValue::from_static(connection));
}

/// Makes an answer's fields ready for the connection to the client, about which hyper says what there is to say.
pub(super) fn answer(fields: &mut HeaderMap) {
    strip(fields);
}

/// Counts a TRACE or OPTIONS one proxy further (RFC 9110, section 7.6.2); false when this one is its last recipient.
pub(super) fn may_go_on(method: &Method, fields: &mut HeaderMap) -> bool {
    if *method != Method::TRACE && *method != Method::OPTIONS {
        return true;
    }
    let Entry::Occupied(mut field) = fields.entry(MAX_FORWARDS) else { return true };
    let left = field.get().to_str().ok().and_then(|left| left.parse::<u64>().ok());
    match left {
        Some(0) => false,
        Some(left) => {
            field.insert(HeaderValue::from(left - 1));
            true
        }
        None => true,
    }
}

fn strip(fields: &mut HeaderMap) {
    // RFC 9112, section 6.3: the coding overrides a length, which is not to be passed on.
    if fields.contains_key(TRANSFER_ENCODING) {
        fields.remove(CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = members(fields, &CONNECTION).filter_map(|name| name.parse().ok()).collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        fields.remove(name);
    }
}

/// The members of a list that may be spread over several lines.
fn members<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = fields.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|member| member.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_is_about_one_connection_goes_no_further() {
        let mut sent = fields(&[
            ("host", "elsewhere"),
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic c2VjcmV0"),
            ("te", "gzip"),
            ("upgrade", "websocket"),
            ("authorization", "Bearer x"),
            ("traceparent", "00-1-1-01"),
            ("trailer", "x-sum"),
        ]);
        request(&mut sent, HeaderValue::from_static("service-b:8001"));
        let expected = fields(&[
            ("host", "service-b:8001"),
            ("connection", "close"),
            ("authorization", "Bearer x"),
            ("traceparent", "00-1-1-01"),
            ("trailer", "x-sum"),
        ]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn fields_named_on_several_connection_lines_are_removed() {
        let mut sent = fields(&[("x-one", "1"), ("x-two", "2"), ("x-three", "3")]);
        sent.append(CONNECTION, HeaderValue::from_static("x-one"));
        sent.append(CONNECTION, HeaderValue::from_static("close,\tX-Two ,"));
        answer(&mut sent);
        assert_eq!(sent, fields(&[("x-three", "3")]));
    }

    #[test]
    fn a_client_that_takes_trailers_gets_them() {
        let mut sent = fields(&[("te", "gzip, Trailers"), ("connection", "te")]);
        request(&mut sent, HeaderValue::from_static("b"));
        assert_eq!(sent, fields(&[("host", "b"), ("te", "trailers"), ("connection", "close, te")]));
    }

    #[test]
    fn a_length_beside_a_coding_is_not_passed_on() {
        let mut sent = fields(&[("transfer-encoding", "chunked"), ("content-length", "3")]);
        answer(&mut sent);
        assert_eq!(sent, HeaderMap::new());
    }

    #[test]
    fn trace_and_options_are_counted_down_and_others_are_not() {
        let mut sent = fields(&[("max-forwards", "1")]);
        assert!(may_go_on(&Method::GET, &mut sent));
        assert!(may_go_on(&Method::OPTIONS, &mut sent));
        assert_eq!(sent[MAX_FORWARDS], "0");
        assert!(!may_go_on(&Method::TRACE, &mut sent));
    }
}
