//! `CloudEvents` 1.0 over HTTP: one event, in binary or in structured mode.
//!
//! The rules are those of the [specification](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md), its
//! [HTTP binding](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md) and its
//! [JSON format](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). What breaks one of
//! them is no event, neither to be sent nor to be taken: a receiver that guesses what was meant applies it under another
//! identity than the next one that guesses.

mod binary;
mod error;
mod header;
mod media;
mod rules;
mod structured;
#[cfg(test)]
mod tests;
mod uri;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::value::RawValue;

pub use error::{Error, Reason};
pub use media::declares_json;

/// The version of the specification, `specversion`.
pub const SPEC_VERSION: &str = "1.0";

/// The media type of an event in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";

const JSON: &str = "application/json";

/// An event: its context attributes as text, and its data.
///
/// Attributes are what they say, not what they look like in a header: percent-encoding comes and goes with the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique together with `source`.
    pub id: String,
    /// A URI reference (RFC 3986, section 4.1).
    pub source: String,
    /// The attribute `type`.
    pub kind: String,
    /// When it happened (RFC 3339), as it was written.
    pub time: Option<String>,
    pub subject: Option<String>,
    /// The media type of `data`.
    pub datacontenttype: Option<String>,
    /// An absolute URI (RFC 3986, section 4.3).
    pub dataschema: Option<String>,
    /// Every other attribute by its name, `traceparent` and `tracestate` among them.
    pub extensions: BTreeMap<String, String>,
    /// As it was written: the body in binary mode; in structured mode the text of `data`, or what `data_base64` stands
    /// for.
    pub data: Option<Bytes>,
}

/// How an event is laid out in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attributes in headers, data in the body.
    Binary,
    /// Everything in a JSON body.
    Structured,
}

/// How the message with these `headers` carries its event; known before its body is read.
///
/// Batches and formats other than JSON are errors.
pub fn mode(headers: &HeaderMap) -> Result<Mode, Error> {
    let Some(told) = media::content_type(headers)? else {
        return Ok(Mode::Binary);
    };
    let essence = media::essence(told).to_ascii_lowercase();
    match essence.strip_prefix("application/cloudevents") {
        None => Ok(Mode::Binary),
        Some("+json") => Ok(Mode::Structured),
        Some(rest) if rest.starts_with("-batch") => Err(Error::Batched),
        Some(_) => Err(Error::Format(error::shortened(told))),
    }
}

impl Event {
    /// An event with the required attributes only.
    pub fn new(id: impl Into<String>, source: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            kind: kind.into(),
            time: None,
            subject: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            data: None,
        }
    }

    /// The same event with `text`, which is JSON, as its data.
    #[must_use]
    pub fn with_json(mut self, text: impl Into<Bytes>) -> Self {
        self.datacontenttype = Some(JSON.to_owned());
        self.data = Some(text.into());
        self
    }

    /// The same event, which happened at this time (Unix milliseconds).
    #[must_use]
    pub fn with_time(mut self, unix_millis: i64) -> Self {
        self.time = Some(crate::time::rfc3339(unix_millis));
        self
    }

    /// The same event with one more attribute; names are checked when it is written.
    #[must_use]
    pub fn with_extension(mut self, name: &str, value: impl Into<String>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// The headers and the body of a message in binary mode.
    pub fn write_binary(&self) -> Result<(HeaderMap, Bytes), Error> {
        self.check()?;
        binary::write(self)
    }

    /// The headers and the body of a message in structured mode.
    ///
    /// Space around JSON data is lost; inside, it stays as it was written.
    pub fn write_structured(&self) -> Result<(HeaderMap, Bytes), Error> {
        self.check()?;
        structured::write(self)
    }

    /// The event in a message.
    pub fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Error> {
        let event = match mode(headers)? {
            Mode::Binary => binary::read(headers, body)?,
            Mode::Structured => structured::read(body)?,
        };
        event.check()?;
        Ok(event)
    }

    /// The data, for a receiver that takes JSON objects only. A `datacontenttype` that is absent is no objection.
    pub fn json_object(&self) -> Result<&RawValue, Error> {
        if let Some(told) = self.datacontenttype.as_deref().filter(|told| !declares_json(told)) {
            return Err(Error::of("datacontenttype", Reason::NotJson(error::shortened(told))));
        }
        let data = self.data.as_deref().ok_or_else(|| Error::of("data", Reason::Missing))?;
        // Read as text that is checked and kept, never as a tree: nesting costs nothing.
        let raw: &RawValue = serde_json::from_slice(data)
            .map_err(|error| Error::of("data", Reason::NotAnObject(format!("is not JSON: {error}"))))?;
        if raw.get().starts_with('{') {
            return Ok(raw);
        }
        Err(Error::of("data", Reason::NotAnObject("is JSON, but not an object".to_owned())))
    }
}
