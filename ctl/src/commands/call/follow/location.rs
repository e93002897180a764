//! Where `Location` leads: a reference, resolved against the URL of the request that it answers.
//!
//! <https://www.rfc-editor.org/rfc/rfc3986#section-5.2>

use http::uri::{Authority, PathAndQuery};

/// Why a `Location` is not gone to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LocationError {
    #[error("it is on another host, {0}: what belongs to this one (headers, a session) is not sent there")]
    OtherHost(String),
    #[error("scheme `{0}` is not spoken here")]
    Scheme(String),
    #[error("it is no URL")]
    Malformed,
}

/// The request that is answered, as far as a `Location` can refer to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base<'a> {
    /// `HOST:PORT` that was asked.
    pub(super) authority: &'a str,
    /// The `Host` header, where the command line gives another: the service knows itself by that name.
    pub(super) host: Option<&'a str>,
    /// Path and query.
    pub(super) path: &'a str,
}

impl Base<'_> {
    /// Path and query of `location`, when it is on the same host.
    pub(super) fn resolve(self, location: &str) -> Result<String, LocationError> {
        let location = location.split('#').next().unwrap_or_default();
        let reference = match location.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => {
                if !scheme.eq_ignore_ascii_case("http") {
                    return Err(LocationError::Scheme(scheme.to_owned()));
                }
                rest
            }
            _ => location,
        };
        let path = match reference.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                self.check(authority)?;
                rooted(path)
            }
            // `http:x` is the relative reference of an older standard.
            None if reference.len() != location.len() => return Err(LocationError::Malformed),
            None => self.merge(reference),
        };
        let path = without_dots(&path);
        match path.parse::<PathAndQuery>() {
            Ok(_) => Ok(path),
            Err(_) => Err(LocationError::Malformed),
        }
    }

    fn check(self, authority: &str) -> Result<(), LocationError> {
        let other: Authority = authority.parse().map_err(|_| LocationError::Malformed)?;
        let whole = other.port_u16().is_some() || authority.ends_with(other.host());
        if other.host().is_empty() || !whole {
            return Err(LocationError::Malformed);
        }
        let mut own = [Some(self.authority), self.host].into_iter().flatten();
        let same = own.any(|own| own.parse::<Authority>().is_ok_and(|own| place(&own) == place(&other)));
        if same && !authority.contains('@') { Ok(()) } else { Err(LocationError::OtherHost(authority.to_owned())) }
    }

    /// A reference without an authority: it replaces the path, its last segment, or the query.
    fn merge(self, reference: &str) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        match reference.chars().next() {
            Some('/') => reference.to_owned(),
            Some('?') | None => format!("{path}{reference}"),
            Some(_) => {
                let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
                format!("{folder}{reference}")
            }
        }
    }
}

/// Host and port, as they are compared.
fn place(authority: &Authority) -> (String, u16) {
    (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(80))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn rooted(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Removes `.` and `..` segments (section 5.2.4).
fn without_dots(text: &str) -> String {
    let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                // What is left is a folder.
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(location: &str) -> Result<String, LocationError> {
        let base = Base { authority: "service-a:8000", host: Some("a.example"), path: "/v1/messages?x=1" };
        base.resolve(location)
    }

    #[test]
    fn a_reference_is_resolved_against_the_request() {
        for (location, path) in [
            ("/messages/7", "/messages/7"),
            ("/messages/7?full=1#top", "/messages/7?full=1"),
            ("messages/7", "/v1/messages/7"),
            ("./7", "/v1/7"),
            ("../other/7", "/other/7"),
            ("../../../7", "/7"),
            ("..", "/"),
            ("?id=7", "/v1/messages?id=7"),
            ("/a/./b/../c", "/a/c"),
            ("http://service-a:8000/messages/7", "/messages/7"),
            ("HTTP://SERVICE-A:8000/messages/7", "/messages/7"),
            ("http://service-a:8000", "/"),
            ("http://service-a:8000?id=7", "/?id=7"),
            ("//service-a:8000/messages/7", "/messages/7"),
            ("http://a.example/messages/7", "/messages/7"),
            ("/messages/a:b", "/messages/a:b"),
        ] {
            assert_eq!(resolve(location).as_deref(), Ok(path), "{location}");
        }
    }

    #[test]
    fn another_host_port_or_scheme_is_refused_with_its_name() {
        for (location, reason) in [
            ("http://evil.example/messages/7", "another host, evil.example"),
            ("//evil.example/messages/7", "another host, evil.example"),
            ("http://service-a/messages/7", "another host, service-a:"),
            ("http://service-a:9000/messages/7", "another host, service-a:9000"),
            ("http://me@service-a:8000/messages/7", "another host, me@"),
            ("https://service-a:8000/messages/7", "`https` is not spoken"),
            ("javascript:x", "`javascript` is not spoken"),
            ("http:messages/7", "no URL"),
            ("http:///messages/7", "no URL"),
            ("http://:8000/", "no URL"),
            ("http://service-a:x/", "no URL"),
            ("/a b", "no URL"),
        ] {
            let error = resolve(location).unwrap_err().to_string();
            assert!(error.contains(reason), "{location}: {error}");
        }
    }
}
