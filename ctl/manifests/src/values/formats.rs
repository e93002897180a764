//! Formats of strings: each has a name, a pattern for the charts' schemas, words for an error, and a check.
//!
//! The patterns are for Helm; msctl checks by the functions, and a test holds the two together.

/// A Kubernetes quantity that is not negative
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
const QUANTITY: &str = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";
/// A count in quotes or a percentage.
const PERCENT: &str = r"^[0-9]{1,4}%$";
/// The value of a label (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).
const LABEL_VALUE: &str = r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$";
/// A DNS subdomain (RFC 1123).
const SUBDOMAIN: &str = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$";
/// A key of a Secret.
const SECRET_KEY: &str = r"^[A-Za-z0-9._-]{1,253}$";
/// A path that starts with a slash.
const ABSOLUTE_PATH: &str = r"^/[^\s]*$";
/// The name of an environment variable.
const ENV_NAME: &str = r"^[A-Za-z_][A-Za-z0-9_.-]*$";
/// The name of a port (RFC 6335, lower case).
const PORT_NAME: &str = r"^[a-z0-9-]{1,15}$";
/// Nothing, or an http or https URL.
const HTTP_URL_OR_EMPTY: &str = r"^(https?://[^\s/]+(/[^\s]*)?)?$";
/// The key of an OpenTelemetry resource attribute.
const ATTRIBUTE_KEY: &str = r"^[A-Za-z0-9._/-]+$";
/// The value of an OpenTelemetry resource attribute, which needs no percent-encoding.
const ATTRIBUTE_VALUE: &str = r"^[A-Za-z0-9._/:-]*$";
/// Registry and name; the first part has to be a host.
const IMAGE_REPOSITORY: &str = r"^(localhost|[A-Za-z0-9-]*[.:][A-Za-z0-9.:-]*)(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)+$";
/// A tag (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>).
const IMAGE_TAG: &str = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$";
/// A digest.
const IMAGE_DIGEST: &str = r"^sha256:[0-9a-f]{64}$";
/// An address range.
const CIDR: &str = r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$";

/// A named format.
#[derive(Debug)]
pub(crate) struct Format {
    /// The schema's `format`.
    pub(crate) name: &'static str,
    /// The schema's `pattern`.
    pub(crate) pattern: &'static str,
    /// What is allowed, for an error.
    pub(crate) allowed: &'static str,
    /// Whether a text has the format.
    pub(crate) check: fn(&str) -> bool,
}

/// The format of that name.
pub(crate) fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

static FORMATS: &[Format] = &[
    Format {
        name: "quantity",
        pattern: QUANTITY,
        allowed: "a quantity, such as 100m, 0.5, 64Mi or 1Gi",
        check: quantity,
    },
    Format {
        name: "percent",
        pattern: PERCENT,
        allowed: "a whole number, or a percentage such as 25%",
        check: percent,
    },
    Format {
        name: "label-value",
        pattern: LABEL_VALUE,
        allowed: "at most 63 of A-Z a-z 0-9 . _ -, with a letter or digit at both ends",
        check: label_value,
    },
    Format {
        name: "subdomain",
        pattern: SUBDOMAIN,
        allowed: "the name of an object: at most 253 of a-z 0-9 . -, with a letter or digit at both ends",
        check: subdomain,
    },
    Format {
        name: "secret-key",
        pattern: SECRET_KEY,
        allowed: "a key of a Secret: at most 253 of A-Z a-z 0-9 . _ -",
        check: secret_key,
    },
    Format {
        name: "absolute-path",
        pattern: ABSOLUTE_PATH,
        allowed: "a path that starts with /, without spaces",
        check: absolute_path,
    },
    Format {
        name: "env-name",
        pattern: ENV_NAME,
        allowed: "a variable's name: A-Z a-z 0-9 . _ -, not starting with a digit, . or -",
        check: env_name,
    },
    Format {
        name: "port-name",
        pattern: PORT_NAME,
        allowed: "a port's name: at most 15 of a-z 0-9 -, with a letter among them",
        check: port_name,
    },
    Format {
        name: "http-url",
        pattern: HTTP_URL_OR_EMPTY,
        allowed: "a URL such as http://jaeger:4318, or nothing",
        check: http_url_or_empty,
    },
    Format {
        name: "attribute-key",
        pattern: ATTRIBUTE_KEY,
        allowed: "an attribute's key: A-Z a-z 0-9 . _ / -",
        check: attribute_key,
    },
    Format {
        name: "attribute-value",
        pattern: ATTRIBUTE_VALUE,
        allowed: "an attribute's value: A-Z a-z 0-9 . _ / : -",
        check: attribute_value,
    },
    Format {
        name: "image-repository",
        pattern: IMAGE_REPOSITORY,
        allowed: "registry and name, such as ghcr.io/acme/orders, without tag or digest",
        check: image_repository,
    },
    Format {
        name: "image-tag",
        pattern: IMAGE_TAG,
        allowed: "a tag: at most 128 of A-Z a-z 0-9 . _ -, not starting with . or -",
        check: image_tag,
    },
    Format {
        name: "image-digest",
        pattern: IMAGE_DIGEST,
        allowed: "sha256: and 64 hexadecimal digits",
        check: image_digest,
    },
    Format { name: "cidr", pattern: CIDR, allowed: "an address range, such as 10.0.0.0/8", check: cidr },
];

fn all_of(text: &str, extra: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

fn ends_alphanumeric(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 14] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "m", "k", "M", "G", "T", "P", "E", ""];
    SUFFIXES.iter().filter_map(|suffix| text.strip_suffix(suffix)).any(|number| match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    })
}

fn percent(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|number| digits(number) && number.len() <= 4)
}

fn label_value(text: &str) -> bool {
    text.is_empty() || (text.len() <= 63 && all_of(text, "._-") && ends_alphanumeric(text))
}

fn subdomain(text: &str) -> bool {
    text.len() <= 253
        && ends_alphanumeric(text)
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
}

fn secret_key(text: &str) -> bool {
    (1..=253).contains(&text.len()) && all_of(text, "._-")
}

fn absolute_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(char::is_whitespace)
}

fn env_name(text: &str) -> bool {
    all_of(text, "_.-") && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn port_name(text: &str) -> bool {
    text.len() <= 15
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn http_url_or_empty(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    text.is_empty()
        || rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

fn attribute_key(text: &str) -> bool {
    !text.is_empty() && all_of(text, "._/-")
}

fn attribute_value(text: &str) -> bool {
    all_of(text, "._/:-")
}

fn image_repository(text: &str) -> bool {
    super::image::repository_problem(text).is_none()
}

fn image_tag(text: &str) -> bool {
    (1..=128).contains(&text.len()) && all_of(text, "._-") && !text.starts_with(['.', '-'])
}

fn image_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

fn cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<std::net::IpAddr>(), length.parse::<u8>()) else {
        return false;
    };
    length <= if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::FORMATS;

    /// But for address ranges, of which the pattern allows too many: a regular expression does not count well.
    #[test]
    fn the_patterns_for_helm_say_what_the_checks_of_msctl_say() {
        let samples = [
            "",
            "a",
            "A",
            "0",
            "9",
            "-",
            "_",
            ".",
            "/",
            "a/b",
            "/a b",
            "/a",
            "a-b",
            "a_b",
            "a.b",
            "-a",
            "a-",
            "a..b",
            "ab.",
            "1.5",
            "1.",
            ".5",
            "100m",
            "64Mi",
            "64mb",
            "1e3",
            "2Gi",
            "-1",
            "25%",
            "100%",
            "12345%",
            "x%",
            "http",
            "80",
            "grpc-web",
            "sixteen-letters-",
            "UPPER",
            "http://a",
            "http://",
            "https://a:4318/x",
            "ftp://a",
            "http://a b",
            "http:///x",
            "service.namespace",
            "a,b",
            "a=b",
            "k8s.io/x",
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "sha256:0123",
            "10.0.0.0/8",
            "10.0.0.0",
            "::/0",
            "ghcr.io/acme/orders",
            "ghcr.io/acme/orders:1",
            "orders",
            "acme/orders",
            "localhost/orders",
            "localhost:5000/orders",
            "ghcr.io/Acme/orders",
            "ghcr.io/",
            "ghcr.io//x",
            "ghcr.io/a/-b",
            "docker.io/library/a_b",
            "PATH_2",
            "2ND",
            "lower.case-name",
            "ä",
            "a b",
            " ",
            "a\n",
        ];
        let long: Vec<String> = [15, 16, 63, 64, 128, 129, 253, 254].iter().map(|length| "a".repeat(*length)).collect();
        for format in FORMATS.iter().filter(|format| format.name != "cidr") {
            let pattern = regex::Regex::new(format.pattern).unwrap();
            for sample in samples.iter().copied().chain(long.iter().map(String::as_str)) {
                assert_eq!(pattern.is_match(sample), (format.check)(sample), "{}: `{sample}`", format.name);
            }
        }
    }
}
