//! Parameters of a list's query, the same for every list.

use http::{StatusCode, Uri};
use runtime::Failure;

/// Rows on a page when the client does not say.
const DEFAULT_LIMIT: u32 = 50;

/// Rows on a page at most.
const MOST: u32 = 200;

/// The parameters in a request's query. Those that nobody asks for are ignored.
#[derive(Clone, Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `name=value` pairs in the form encoding; an escape that is none is 400.
    pub fn of(uri: &Uri) -> Result<Self, Failure> {
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decoded(name)?, decoded(value)?))
            })
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| refused("the query is not percent-encoded UTF-8"))
    }

    /// The value of `name`. One that is given twice is 400: whichever were taken, the other would be ignored.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() {
            return Err(refused(format!("{name} is given more than once")));
        }
        Ok(value)
    }

    /// How many rows `limit` asks for: 1 to 200, 50 when it is not there.
    pub fn limit(&self) -> Result<u32, Failure> {
        let Some(text) = self.get("limit")? else {
            return Ok(DEFAULT_LIMIT);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| digits && (1..=MOST).contains(limit));
        limit.ok_or_else(|| refused(format!("limit must be a whole number from 1 to {MOST}")))
    }
}

fn refused(detail: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, detail)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, Failure> {
        Query::of(&format!("/messages?{text}").parse().unwrap())
    }

    #[test]
    fn values_are_decoded() {
        let query = query("source=%2Fa%20b+c&empty=&flag&&x=1=2&%73=%E2%82%AC").unwrap();
        for (name, value) in [
            ("source", Some("/a b c")),
            ("empty", Some("")),
            ("flag", Some("")),
            ("x", Some("1=2")),
            ("s", Some("€")),
            ("other", None),
        ] {
            assert_eq!(query.get(name).unwrap(), value, "{name}");
        }
        let none = Query::of(&"/messages".parse().unwrap()).unwrap();
        assert_eq!((none.get("limit").unwrap(), none.limit().unwrap()), (None, 50));
    }

    #[test]
    fn what_is_no_encoding_or_is_there_twice_is_400() {
        for bad in ["a=%", "a=%2", "a=%zz", "a=%FF", "%E2%82=1", "a=%+1"] {
            assert_eq!(query(bad).unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad}");
        }
        assert_eq!(query("a=1&a=1").unwrap().get("a").unwrap_err().status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_limit_is_from_1_to_200() {
        for (text, limit) in [("limit=1", 1), ("limit=200", 200), ("limit=007", 7), ("other=1", 50)] {
            assert_eq!(query(text).unwrap().limit().unwrap(), limit);
        }
        for bad in ["0", "201", "-1", "+1", "%2B1", "1.0", "x", "", "99999999999999999999", "1&limit=1"] {
            let refused = query(&format!("limit={bad}")).unwrap().limit().unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{bad}");
        }
    }
}
