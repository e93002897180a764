//! Reading what a request to a proxy is for (RFC 9112, section 3.2).

use http::uri::Authority;
use http::{Request, Uri};

use super::refusal::Refusal;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Of a request in absolute form.
    pub(super) fn absolute(uri: &Uri) -> Result<Self, Refusal> {
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(Refusal::malformed("https goes through a proxy by CONNECT only")),
            Some(_) => return Err(Refusal::malformed("only http is spoken here")),
            None => {
                return Err(Refusal::malformed(
                    "this is the name proxy of msctl up, not a service: set HTTP_PROXY to it, and ask for http://NAME:PORT/",
                ));
            }
        }
        let authority = uri.authority().ok_or_else(|| Refusal::malformed("the request names no host"))?;
        Self::of(authority, Some(80))
    }

    /// Of a CONNECT, which has to name its port.
    pub(crate) fn connect<T>(request: &Request<T>) -> Result<Self, Refusal> {
        let authority = request.uri().authority();
        Self::of(authority.ok_or_else(|| Refusal::malformed("CONNECT takes HOST:PORT"))?, None)
    }

    fn of(authority: &Authority, default: Option<u16>) -> Result<Self, Refusal> {
        let text = authority.as_str();
        // RFC 9110, section 4.2.4: nearly always an attempt to look like another host.
        if text.contains('@') {
            return Err(Refusal::malformed("a user and password before `@` are not taken; use an Authorization field"));
        }
        let host = authority.host();
        let port = match text.strip_prefix(host).unwrap_or_default().strip_prefix(':') {
            None | Some("") => default,
            Some(port) => port.parse().ok(),
        };
        match port {
            Some(port) if port != 0 && !host.is_empty() => Ok(Self { host: host.to_owned(), port }),
            _ => Err(Refusal::malformed(format!("`{text}` is no HOST:PORT"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absolute(uri: &str) -> Option<(String, u16)> {
        Target::absolute(&uri.parse().unwrap()).ok().map(|target| (target.host, target.port))
    }

    #[test]
    fn the_host_and_port_of_the_absolute_form_are_read() {
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(absolute("http://service-b:8001/path?x=http://y"), is("service-b", 8001));
        assert_eq!(absolute("http://service-b"), is("service-b", 80));
        assert_eq!(absolute("http://[::1]:8001/"), is("[::1]", 8001));
    }

    #[test]
    fn what_is_no_request_to_a_proxy_is_refused() {
        for uri in ["/path", "https://a/", "ftp://a/", "http://user:word@a/", "http://a:0/", "http://a:99999/", "*"] {
            // The URI parser itself refuses some of them.
            assert_eq!(uri.parse::<Uri>().ok().and_then(|_| absolute(uri)), None, "{uri}");
        }
    }

    #[test]
    fn connect_has_to_name_its_port() {
        let connect = |uri: &str| Target::connect(&Request::connect(uri).body(()).unwrap()).ok();
        assert_eq!(connect("service-b:8001"), Some(Target { host: "service-b".to_owned(), port: 8001 }));
        assert_eq!(connect("service-b"), None);
    }
}
