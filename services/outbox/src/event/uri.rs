//! URI references and absolute URIs (RFC 3986), as they are and not as they resolve.

use std::net::Ipv6Addr;

/// `URI-reference`, section 4.1.
pub(super) fn reference(text: &str) -> Result<(), &'static str> {
    let (rest, fragment) = cut(text, '#');
    check(fragment.unwrap_or_default(), in_query)?;
    let (hierarchy, _) = without_query(rest)?;
    match scheme(hierarchy) {
        Some(after) => hierarchical(after),
        // Without a scheme, a colon in the first segment would make one of it (section 4.2).
        None if first_segment(hierarchy).contains(':') => Err("what stands before its first colon is no scheme"),
        None => hierarchical(hierarchy),
    }
}

/// `absolute-URI`, section 4.3: with a scheme, without a fragment.
pub(super) fn absolute(text: &str) -> Result<(), &'static str> {
    if text.contains('#') {
        return Err("it has a fragment");
    }
    let (hierarchy, _) = without_query(text)?;
    hierarchical(scheme(hierarchy).ok_or("it has no scheme")?)
}

fn without_query(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let (rest, query) = cut(text, '?');
    check(query.unwrap_or_default(), in_query)?;
    Ok((rest, query))
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn first_segment(text: &str) -> &str {
    text.split('/').next().unwrap_or_default()
}

/// What follows the scheme and its colon.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, after) = text.split_once(':')?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (begins && rest).then_some(after)
}

fn hierarchical(text: &str) -> Result<(), &'static str> {
    let Some(after) = text.strip_prefix("//") else {
        return check(text, in_path);
    };
    let (host, path) = after.split_at(after.find('/').unwrap_or(after.len()));
    authority(host)?;
    check(path, in_path)
}

fn authority(text: &str) -> Result<(), &'static str> {
    let (user, host) = text.rsplit_once('@').map_or(("", text), |(user, host)| (user, host));
    check(user, in_user)?;
    let port = if let Some(literal) = host.strip_prefix('[') {
        let (address, port) = literal.split_once(']').ok_or("its host has a bracket that is not closed")?;
        if !is_literal(address) {
            return Err("its host in brackets is no IP address");
        }
        port
    } else {
        let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
        check(name, |byte| is_unreserved(byte) || is_sub_delimiter(byte))?;
        port
    };
    let digits = if port.is_empty() { "" } else { port.strip_prefix(':').ok_or("its port has no colon")? };
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { Ok(()) } else { Err("its port is no number") }
}

fn is_literal(text: &str) -> bool {
    let Some(future) = text.strip_prefix(['v', 'V']) else {
        return text.parse::<Ipv6Addr>().is_ok();
    };
    future.split_once('.').is_some_and(|(version, address)| {
        let hex = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        let allowed = |byte| is_unreserved(byte) || is_sub_delimiter(byte) || byte == b':';
        hex && !address.is_empty() && address.bytes().all(allowed)
    })
}

fn check(text: &str, allowed: impl Fn(u8) -> bool) -> Result<(), &'static str> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut hex = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
            if !(hex() && hex()) {
                return Err("a % is not followed by two hex digits");
            }
        } else if !allowed(byte) {
            return Err("it has a character that is not allowed where it stands");
        }
    }
    Ok(())
}

fn in_path(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delimiter(byte) || b":@/".contains(&byte)
}

fn in_query(byte: u8) -> bool {
    in_path(byte) || byte == b'?'
}

fn in_user(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delimiter(byte) || byte == b':'
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_sub_delimiter(byte: u8) -> bool {
    b"!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_what_is_none() {
        for good in [
            // The specification's examples.
            "https://github.com/cloudevents",
            "mailto:cncf-wg-serverless@lists.cncf.io",
            "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
            "/cloudevents/spec/pull/123",
            "/sensors/tn-1234567/alerts",
            "1-555-123-4567",
            // RFC 3986, sections 1.1.2 and 5.4.
            "ftp://ftp.is.co.za/rfc/rfc1808.txt",
            "ldap://[2001:db8::7]/c=GB?objectClass?one",
            "tel:+1-816-555-1212",
            "telnet://192.0.2.16:80/",
            "//g",
            "?y",
            "#s",
            ";x",
            "../..",
            "./a:b",
            "http://user:pass@host:/",
            "http://[v1.a:b]/",
            "a%20b",
            "",
        ] {
            assert_eq!(reference(good), Ok(()), "{good}");
        }
        for bad in [
            "a b",
            "a\"b",
            "ä",
            "<a>",
            "a\\b",
            "a^b",
            "a`b",
            "{a}",
            "a|b",
            "%",
            "%2",
            "%zz",
            "1a:b",
            ":b",
            "a#b#c",
            "http://host:port/",
            "http://[::1",
            "http://[1.2.3.4]/",
            "http://[::1]80/",
            "http://a@b@c:d@e/",
            "http://ho[st/",
            "a[0]",
        ] {
            assert!(reference(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn absolute_uris_have_a_scheme_and_no_fragment() {
        for good in ["http://a", "urn:a", "https://a/b?c", "a:"] {
            assert_eq!(absolute(good), Ok(()), "{good}");
        }
        for bad in ["/a", "a", "//a/b", "http://a#b", "1:a", ""] {
            assert!(absolute(bad).is_err(), "{bad}");
        }
    }
}
