//! Media types: `Content-Type` and `datacontenttype` (RFC 2045, section 5.1).

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::error::{Error, Reason};

const NAME: &str = "datacontenttype";

/// The one `Content-Type` of a message.
pub(super) fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Error::of(NAME, Reason::Repeated));
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| Error::of(NAME, Reason::MediaType))
}

/// The media type without its parameters.
pub(super) fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

/// Whether data of this media type is JSON: `*/json` or `*/*+json` (JSON format, section 3.1.1).
pub fn declares_json(media_type: &str) -> bool {
    let Some((_, subtype)) = essence(media_type).split_once('/') else {
        return false;
    };
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    suffix.eq_ignore_ascii_case("json")
}

/// `type/subtype` and its parameters, each `; name=value` with a token or a quoted string as its value.
pub(super) fn is_media_type(text: &str) -> bool {
    let (essence, mut rest) = split(text);
    let named = essence.trim_end().split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    while let Some(parameters) = rest {
        let Some((name, after)) = parameters.trim_start().split_once('=') else {
            return false;
        };
        let value;
        (value, rest) = split(after);
        let value = value.trim_end();
        if !is_token(name) || !(is_token(value) || is_quoted(value)) {
            return false;
        }
    }
    named
}

/// Up to the next semicolon that is not inside quotes, and what follows that.
fn split(text: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
    }
    (text, None)
}

fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut bytes = inner.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return false,
            b'\\' if bytes.next().is_none() => return false,
            b' '..=b'~' => {}
            _ => return false,
        }
    }
    true
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_told_from_what_is_none() {
        for good in [
            "application/json",
            "text/xml",
            "application/json; charset=utf-8",
            "application/vnd.a+json;a=b;c=\"d;e\\\"f\"",
            "multipart/mixed ; boundary=\"a b\"",
        ] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "json",
            "/",
            "application/",
            "/json",
            "a b/c",
            "application/json;",
            "application/json; charset",
            "application/json; charset=",
            "application/json; =utf-8",
            "application/json; a=\"b",
            "application/json; a=b c",
            "application/json; a=\"b\\\"",
            "application/jsön",
            "a/b/c",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }

    #[test]
    fn json_is_a_subtype_or_a_suffix() {
        for json in ["application/json", "text/JSON; charset=utf-8", "application/problem+json", "image/x+y+Json"] {
            assert!(declares_json(json), "{json}");
        }
        for other in ["json", "application/jsonp", "text/xml", "application/json+xml", ""] {
            assert!(!declares_json(other), "{other}");
        }
    }
}
