//! `Idempotency-Key`
//! (<https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header>).

use http::{HeaderMap, HeaderName, StatusCode};
use runtime::Failure;
use sha2::{Digest as _, Sha256};

use crate::store::Key;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST: usize = 255;

/// The request's key, with the hash of its `body`. 400 when it can't be used.
pub(super) fn of(headers: &HeaderMap, body: &str) -> Result<Option<Key>, Failure> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused("Idempotency-Key is given more than once"));
    }
    // Taken as it is, quotes included: two keys are the same when their characters are.
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    match text {
        Some(text) if (1..=LONGEST).contains(&text.len()) => {
            Ok(Some(Key { text: text.to_owned(), body_hash: Sha256::digest(body).into() }))
        }
        _ => Err(refused("Idempotency-Key must be 1 to 255 visible ASCII characters")),
    }
}

fn refused(detail: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn key(values: &[&[u8]]) -> Result<Option<String>, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        of(&headers, "{}").map(|key| key.map(|key| key.text)).map_err(|failure| failure.status())
    }

    #[test]
    fn a_key_is_one_header_of_visible_ascii() {
        let longest = [b'k'; 255];
        assert_eq!(key(&[]), Ok(None));
        for good in [&b"a"[..], b"8e03978e-40d5-43dd-bc93-6894a57f9324", b"\"quoted\"", b"~!", &longest] {
            assert_eq!(key(&[good]), Ok(Some(String::from_utf8(good.to_vec()).unwrap())));
        }
        for bad in [&b""[..], b"a b", b"a\tb", b"\xff", "ä".as_bytes(), &[b'k'; 256]] {
            assert_eq!(key(&[bad]), Err(StatusCode::BAD_REQUEST), "{bad:?}");
        }
        assert_eq!(key(&[b"a", b"a"]), Err(StatusCode::BAD_REQUEST));
    }
}
