//! Protobuf's wire format: <https://protobuf.dev/programming-guides/encoding/>.

use crate::cursor::{Cursor, put_number, put_varint};

/// Why bytes are no `ExportTraceServiceRequest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the protobuf message breaks off in a field")]
    Truncated,
    #[error("the protobuf message has a field with a malformed tag")]
    Tag,
    #[error("a field of the protobuf message has another type than the OTLP schema says")]
    Type,
    #[error("a string of the protobuf message is not UTF-8")]
    Text,
    #[error("attribute values are nested too deep")]
    Depth,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message, in their order; ends after the first that is malformed.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    left: Cursor<'a>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { left: Cursor::new(message) }
    }

    /// The messages of a repeated field.
    pub(super) fn messages(message: &'a [u8], number: u32) -> impl Iterator<Item = Result<&'a [u8], Malformed>> {
        Self::new(message).filter_map(move |field| match field {
            Ok(field) => (field.number == number).then(|| field.bytes()),
            Err(malformed) => Some(Err(malformed)),
        })
    }

    /// The message of a field that is not repeated: the last one counts.
    pub(super) fn last_message(message: &'a [u8], number: u32) -> Result<Option<&'a [u8]>, Malformed> {
        Self::messages(message, number).try_fold(None, |_, next| next.map(Some))
    }

    fn read(&mut self) -> Result<Field<'a>, Malformed> {
        let left = &mut self.left;
        let tag = left.varint().ok_or(Malformed::Tag)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0).ok_or(Malformed::Tag)?;
        let value = match tag & 7 {
            0 => left.varint().map(Value::Varint),
            1 => left.fixed64().map(Value::Fixed64),
            2 => left.number().and_then(|length| left.take(length)).map(Value::Bytes),
            5 => left.fixed32().map(|_| Value::Fixed32),
            // Groups, which version 3 of the language does not have.
            _ => return Err(Malformed::Tag),
        };
        Ok(Field { number, value: value.ok_or(Malformed::Truncated)? })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.left = Cursor::new(&[]);
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::Type),
        }
    }

    pub(super) fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(Malformed::Type),
        }
    }

    pub(super) fn fixed64(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(Malformed::Type),
        }
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(bytes).map_err(|_| Malformed::Text)
}

/// The wire types that are written.
pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;

pub(super) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    put_varint(out, u64::from(number << 3 | wire_type));
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}
