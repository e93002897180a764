//! What is answered to an exporter, in the encoding of its request.

use serde_json::json;

use super::wire::{VARINT, put_bytes, put_tag};
use crate::cursor::put_varint;

/// The encodings of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

/// `google.rpc.Code`: <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    Internal = 13,
    Unavailable = 14,
}

impl Encoding {
    /// Of a `Content-Type`, whatever its parameters.
    pub(crate) fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// `ExportTraceServiceResponse`: with `partial_success` only when spans were rejected, and why.
    pub(crate) fn response(self, rejected: u64, why: &str) -> Vec<u8> {
        match self {
            Self::Protobuf if rejected == 0 => Vec::new(),
            Self::Json if rejected == 0 => b"{}".to_vec(),
            Self::Protobuf => {
                let mut partial = Vec::new();
                put_tag(&mut partial, 1, VARINT);
                put_varint(&mut partial, rejected);
                put_bytes(&mut partial, 2, why.as_bytes());
                let mut response = Vec::new();
                put_bytes(&mut response, 1, &partial);
                response
            }
            Self::Json => {
                let partial = json!({"rejectedSpans": rejected.to_string(), "errorMessage": why});
                json!({"partialSuccess": partial}).to_string().into_bytes()
            }
        }
    }

    /// `google.rpc.Status`, the body of every answer with an error status.
    pub(crate) fn status(self, code: Code, message: &str) -> Vec<u8> {
        match self {
            Self::Protobuf => {
                let mut status = Vec::new();
                put_tag(&mut status, 1, VARINT);
                put_varint(&mut status, code as u64);
                put_bytes(&mut status, 2, message.as_bytes());
                status
            }
            Self::Json => json!({"code": code as u8, "message": message}).to_string().into_bytes(),
        }
    }
}
