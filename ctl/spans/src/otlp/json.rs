//! OTLP/JSON to protobuf: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.
//!
//! Protobuf's mapping of JSON, but: ids are hex, enums are numbers, unknown names are ignored, names are in lowerCamelCase
//! only. 64-bit numbers are strings or numbers; `null` is a field that is not there.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use super::schema::{Field, Kind, Message, REQUEST};
use super::wire::{BYTES, FIXED64, VARINT, put_bytes, put_tag};
use crate::cursor::put_varint;

/// The request in protobuf, less than twice as long as its JSON.
pub(crate) fn transcode(body: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    // All it can become, so that it is never copied to grow; what is not written takes no memory.
    let mut out = Vec::with_capacity(body.len() * 2);
    let mut json = serde_json::Deserializer::from_slice(body);
    Fields { message: &REQUEST, out: &mut out }.deserialize(&mut json)?;
    json.end()?;
    Ok(out)
}

/// The fields of a message, from a JSON object.
struct Fields<'o> {
    message: Message,
    out: &'o mut Vec<u8>,
}

/// The name of one of a message's fields.
struct Name(Message);

/// The value of a field.
struct Content<'o> {
    field: &'static Field,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(Name(self.message))? {
            match field {
                Some(field) => map.next_value_seed(Content { field, out: self.out })?,
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|field| field.name == name))
    }
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind {
            Kind::One(message) => {
                nested(self.out, self.field.number, |out| Fields { message, out }.deserialize(deserializer))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

/// A value on the wire.
enum Scalar<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Cow<'a, [u8]>),
}

impl Content<'_> {
    /// Writes what was read, or says what is there instead of it.
    fn put<E: Error>(self, scalar: Option<Scalar<'_>>, read: Unexpected<'_>) -> Result<(), E> {
        match scalar.ok_or_else(|| E::invalid_value(read, &self))? {
            Scalar::Varint(value) => {
                put_tag(self.out, self.field.number, VARINT);
                put_varint(self.out, value);
            }
            Scalar::Fixed64(bytes) => {
                put_tag(self.out, self.field.number, FIXED64);
                self.out.extend_from_slice(&bytes);
            }
            Scalar::Bytes(bytes) => put_bytes(self.out, self.field.number, &bytes),
        }
        Ok(())
    }
}

impl Kind {
    fn bool(&self, value: bool) -> Option<Scalar<'static>> {
        matches!(self, Self::Bool).then_some(Scalar::Varint(value.into()))
    }

    #[expect(clippy::cast_precision_loss, reason = "any number of JSON may stand for a double")]
    fn unsigned(&self, value: u64) -> Option<Scalar<'static>> {
        match self {
            Self::Int => i64::try_from(value).ok().map(|_| Scalar::Varint(value)),
            Self::Enum => i32::try_from(value).ok().map(|_| Scalar::Varint(value)),
            Self::Fixed64 => Some(Scalar::Fixed64(value.to_le_bytes())),
            Self::Double => Some(Scalar::Fixed64((value as f64).to_le_bytes())),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "any number of JSON may stand for a double")]
    fn signed(&self, value: i64) -> Option<Scalar<'static>> {
        match self {
            Self::Int => Some(Scalar::Varint(value.cast_unsigned())),
            Self::Double => Some(Scalar::Fixed64((value as f64).to_le_bytes())),
            _ => u64::try_from(value).ok().and_then(|value| self.unsigned(value)),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a whole number in the range")]
    fn double(&self, value: f64) -> Option<Scalar<'static>> {
        // `1e3` and `5.0` are integers to protobuf's mapping.
        let is_whole = value.fract() == 0.0 && value.abs() < 2_f64.powi(53);
        match self {
            Self::Double => Some(Scalar::Fixed64(value.to_le_bytes())),
            _ => is_whole.then(|| self.signed(value as i64)).flatten(),
        }
    }

    fn text<'a>(&self, text: &'a str) -> Option<Scalar<'a>> {
        match self {
            Self::Text => Some(Scalar::Bytes(text.as_bytes().into())),
            Self::Hex => hex(text).map(|bytes| Scalar::Bytes(bytes.into())),
            Self::Base64 => STANDARD.decode(text).ok().map(|bytes| Scalar::Bytes(bytes.into())),
            Self::Int => text.parse().ok().and_then(|value| self.signed(value)),
            Self::Fixed64 => text.parse().ok().and_then(|value| self.unsigned(value)),
            // `NaN`, `Infinity` and `-Infinity` among them.
            Self::Double => text.parse().ok().and_then(|value| self.double(value)),
            Self::Bool | Self::Enum | Self::One(_) | Self::Many(_) => None,
        }
    }
}

impl<'de> Visitor<'de> for Content<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.field.kind {
            Kind::Text => "a string",
            Kind::Hex => "hex digits",
            Kind::Base64 => "base64",
            Kind::Bool => "true or false",
            Kind::Int => "a 64-bit integer",
            Kind::Enum => "the number of an enum's value",
            Kind::Fixed64 => "a 64-bit integer without sign",
            Kind::Double => "a number",
            Kind::One(_) => "an object",
            Kind::Many(_) => "an array of objects",
        };
        write!(f, "{expected} for {}", self.field.name)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        let scalar = self.field.kind.bool(value);
        self.put(scalar, Unexpected::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let scalar = self.field.kind.unsigned(value);
        self.put(scalar, Unexpected::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let scalar = self.field.kind.signed(value);
        self.put(scalar, Unexpected::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let scalar = self.field.kind.double(value);
        self.put(scalar, Unexpected::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let scalar = self.field.kind.text(text);
        self.put(scalar, Unexpected::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Kind::Many(message) = self.field.kind else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        let Self { field, out } = self;
        loop {
            let before = out.len();
            if nested(out, field.number, |out| seq.next_element_seed(Fields { message, out }))?.is_none() {
                out.truncate(before);
                return Ok(());
            }
        }
    }
}

/// Writes a message whose length is known only after it; so the length has four bytes always.
fn nested<T>(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    put_tag(out, number, BYTES);
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    let written = write(out);
    let mut length = out.len() - start - LENGTH;
    for (index, byte) in out[start..start + LENGTH].iter_mut().enumerate() {
        let more = if index + 1 < LENGTH { 0x80 } else { 0 };
        *byte = (length & 0x7f).to_le_bytes()[0] | more;
        length >>= 7;
    }
    written
}

/// Seven bits each: messages of up to 256 MiB, many times the longest body.
const LENGTH: usize = 4;

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}
