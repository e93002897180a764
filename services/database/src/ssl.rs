//! How a connection to Postgres is encrypted: libpq's `sslmode` and `sslrootcert` in the URL.
//!
//! tokio-postgres reads the first three modes alone, and of roots nothing, so both are taken out of the URL before it
//! reads the rest.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// What the URL asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ssl {
    pub(crate) mode: Mode,
    /// A PEM file of certificate authorities, read at every connect: they change as certificates do.
    pub(crate) roots: Option<PathBuf>,
}

/// libpq's modes, without `allow`, whose use is to avoid encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    Disable,
    /// Encrypted where the server can, without asking who it is.
    #[default]
    Prefer,
    /// Encrypted, or no connection; with roots, as [`Mode::VerifyCa`].
    Require,
    /// To a server whose certificate an authority of the roots has signed.
    VerifyCa,
    /// And for the host name of the URL.
    VerifyFull,
}

const MODES: [(&str, Mode); 5] = [
    ("disable", Mode::Disable),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

const UNKNOWN: &str = "sslmode=disable, prefer, require, verify-ca or verify-full";
const NO_ROOTS: &str =
    "sslrootcert=PATH, a PEM file of certificate authorities, beside sslmode=verify-ca or verify-full";
const NOT_VERIFIED: &str = "sslmode=require, verify-ca or verify-full beside sslrootcert";

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }
}

/// `url` without what it says of encryption, and that; or what would be possible instead.
pub(crate) fn split(url: &str) -> (String, Result<Ssl, &'static str>) {
    let Some((before, query)) = url.split_once('?') else {
        return (url.to_owned(), Ok(Ssl::default()));
    };
    let (mut mode, mut roots, mut rest) = (Some(None), None, Vec::new());
    for option in query.split('&') {
        match option.split_once('=') {
            Some(("sslmode", value)) => mode = named(value).map(Some),
            Some(("sslrootcert", value)) => roots = Some(decoded(value)),
            _ => rest.push(option),
        }
    }
    let rest = if rest.is_empty() { before.to_owned() } else { format!("{before}?{}", rest.join("&")) };
    let ssl = mode.ok_or(UNKNOWN).map(|mode| Ssl { mode: mode.unwrap_or_default(), roots });
    (rest, ssl.and_then(Ssl::possible))
}

impl Ssl {
    fn possible(self) -> Result<Self, &'static str> {
        match (self.mode, &self.roots) {
            (Mode::VerifyCa | Mode::VerifyFull, None) => Err(NO_ROOTS),
            // libpq would verify in the first try, and then go on without encryption.
            (Mode::Disable | Mode::Prefer, Some(_)) => Err(NOT_VERIFIED),
            _ => Ok(self),
        }
    }
}

fn named(value: &str) -> Option<Mode> {
    MODES.iter().find(|(name, _)| *name == value).map(|(_, mode)| *mode)
}

fn decoded(value: &str) -> PathBuf {
    PathBuf::from(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_says_of_encryption_is_taken_out_of_it() {
        let ssl = |mode, roots: Option<&str>| Ok(Ssl { mode, roots: roots.map(PathBuf::from) });
        for (url, rest, expected) in [
            ("postgres://h/a", "postgres://h/a", ssl(Mode::Prefer, None)),
            ("postgres://h/a?connect_timeout=3", "postgres://h/a?connect_timeout=3", ssl(Mode::Prefer, None)),
            ("postgres://h/a?sslmode=disable", "postgres://h/a", ssl(Mode::Disable, None)),
            (
                "postgres://h/a?sslrootcert=%2Fca%20s.pem&connect_timeout=3&sslmode=verify-full",
                "postgres://h/a?connect_timeout=3",
                ssl(Mode::VerifyFull, Some("/ca s.pem")),
            ),
            ("postgres://h/a?sslmode=require&sslrootcert=/ca", "postgres://h/a", ssl(Mode::Require, Some("/ca"))),
            ("postgres://h/a?sslmode=verify-ca", "postgres://h/a", Err(NO_ROOTS)),
            ("postgres://h/a?sslrootcert=/ca", "postgres://h/a", Err(NOT_VERIFIED)),
            ("postgres://h/a?sslmode=allow", "postgres://h/a", Err(UNKNOWN)),
        ] {
            assert_eq!(split(url), (rest.to_owned(), expected), "{url}");
        }
    }
}
