//! What can go wrong with a call.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use http::{Method, Uri};

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// A call that has no answer, or not all of it.
///
/// `Display` says what failed on which request; the causes follow by [`StdError::source`], and [`Error::report`] has
/// both.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    target: Target,
    source: Option<BoxError>,
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The URL can't be called.
    Url,
    /// No connection came about: nothing was sent.
    Connect,
    /// The connection ended before the answer began; the request may have been worked on.
    Broken,
    /// The deadline passed.
    Timeout,
    /// What was answered is not HTTP.
    Protocol,
    /// The answer's body broke off.
    Body,
    /// The answer's body is larger than the caller takes.
    TooLarge,
    /// The answer's body is not the JSON that was asked for, or the request's data can't be written as JSON.
    Json,
}

/// Which request an error is about.
#[derive(Clone, Debug)]
pub(crate) struct Target(Arc<(Method, String)>);

impl Target {
    pub(crate) fn new(method: &Method, uri: &Uri) -> Self {
        Self::unparsed(method, &uri.to_string())
    }

    pub(crate) fn unparsed(method: &Method, url: &str) -> Self {
        Self(Arc::new((method.clone(), url.to_owned())))
    }
}

impl Kind {
    /// A name from this small set, for metrics and spans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Connect => "connect",
            Self::Broken => "connection_closed",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Body => "body",
            Self::TooLarge => "too_large",
            Self::Json => "json",
        }
    }

    /// What happened, for a person: no address, no cause.
    pub fn what(self) -> &'static str {
        match self {
            Self::Url => "the URL can't be called",
            Self::Connect => "can't connect",
            Self::Broken => "the connection ended before the answer",
            Self::Timeout => "no answer before the deadline",
            Self::Protocol => "the answer is not HTTP",
            Self::Body => "the answer broke off",
            Self::TooLarge => "the answer is too large",
            Self::Json => "the JSON can't be used",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: Kind, target: Target, source: Option<BoxError>) -> Self {
        Self { kind, target, source }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    pub fn method(&self) -> &Method {
        &self.target.0.0
    }

    pub fn url(&self) -> &str {
        &self.target.0.1
    }

    /// The error and its causes, in one line.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.method(), self.url(), self.kind.what())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
