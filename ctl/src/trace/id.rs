//! Trace and span ids: W3C Trace Context's sizes, written as lowercase hex.
//!
//! <https://www.w3.org/TR/trace-context/#traceparent-header>

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A trace's id: 128 bits, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TraceId(u128);

/// A span's id: 64 bits, never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SpanId(u64);

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdError {
    #[error("`{text}` is no {kind} id: {allowed}")]
    Shape { text: String, kind: &'static str, allowed: &'static str },
    #[error("a {kind} id of zeros means that there is none")]
    Zero { kind: &'static str },
}

impl TraceId {
    pub(crate) fn new(bits: u128) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }
}

impl SpanId {
    pub(crate) fn new(bits: u64) -> Option<Self> {
        (bits != 0).then_some(Self(bits))
    }
}

/// Reads 1 to 32 hex digits (Jaeger may drop leading zeros), or a whole
/// `traceparent` header, since that is what a log line or a client often shows.
impl FromStr for TraceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let kind = "trace";
        let digits = match text.split('-').collect::<Vec<_>>()[..] {
            ["00", trace, _span, _flags] => trace,
            _ => text,
        };
        if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            let allowed = "up to 32 hex digits, or a traceparent header";
            return Err(IdError::Shape { text: text.to_owned(), kind, allowed });
        }
        let bits = digits.bytes().fold(0, |bits, digit| bits << 4 | u128::from(value(digit)));
        Self::new(bits).ok_or(IdError::Zero { kind })
    }
}

impl FromStr for SpanId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let kind = "span";
        if text.is_empty() || text.len() > 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let allowed = "up to 16 hex digits";
            return Err(IdError::Shape { text: text.to_owned(), kind, allowed });
        }
        let bits = text.bytes().fold(0, |bits, digit| bits << 4 | u64::from(value(digit)));
        Self::new(bits).ok_or(IdError::Zero { kind })
    }
}

/// The value of a byte that is known to be a hex digit.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_writes() {
        let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let span: SpanId = "00F067AA0BA902B7".parse().unwrap();
        assert_eq!(span.to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn dropped_leading_zeros_come_back() {
        let id: TraceId = "a3ce929d0e0e4736".parse().unwrap();
        assert_eq!(id.to_string(), "0000000000000000a3ce929d0e0e4736");
    }

    #[test]
    fn a_traceparent_stands_for_its_trace() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let id: TraceId = header.parse().unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn what_is_no_id_is_refused_with_what_is_allowed() {
        for text in ["", "service-a", "4bf92f3577b34da6a3ce929d0e0e47360", "0x1f", "ä1"] {
            let error = text.parse::<TraceId>().unwrap_err().to_string();
            assert!(error.contains("hex digits"), "{text}: {error}");
        }
        assert!("0000".parse::<TraceId>().unwrap_err().to_string().contains("zeros"));
        assert!("12345678901234567".parse::<SpanId>().is_err());
    }
}
