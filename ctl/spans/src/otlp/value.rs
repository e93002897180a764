//! Attributes and their values: `KeyValue` and `AnyValue`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::wire::{Fields, Malformed, text};

/// Values in values that are followed; a hostile request must not use up the stack.
const DEPTH: u32 = 64;

/// The attributes of a message that was seen to be well formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    message: &'a [u8],
    /// The number of the field that they are.
    number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AnyValue<'a> {
    Empty,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    /// The messages `ArrayValue` and `KeyValueList`.
    Array(&'a [u8]),
    List(&'a [u8]),
}

impl<'a> Attributes<'a> {
    pub(super) fn none() -> Self {
        Self { message: &[], number: 0 }
    }

    /// Of a message that was seen to be well formed.
    pub(super) fn of(message: &'a [u8], number: u32) -> Self {
        Self { message, number }
    }

    pub(super) fn check(message: &'a [u8], number: u32) -> Result<Self, Malformed> {
        Self::check_to(message, number, DEPTH)
    }

    fn check_to(message: &'a [u8], number: u32, depth: u32) -> Result<Self, Malformed> {
        for attribute in Fields::messages(message, number) {
            let (_, value) = key_value(attribute?)?;
            value.check(depth)?;
        }
        Ok(Self { message, number })
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a str, AnyValue<'a>)> {
        Fields::messages(self.message, self.number).flatten().filter_map(|attribute| key_value(attribute).ok())
    }
}

fn key_value(message: &[u8]) -> Result<(&str, AnyValue<'_>), Malformed> {
    let mut attribute = ("", AnyValue::Empty);
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            1 => attribute.0 = text(field.bytes()?)?,
            2 => attribute.1 = AnyValue::read(field.bytes()?)?,
            _ => {}
        }
    }
    Ok(attribute)
}

impl<'a> AnyValue<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut value = Self::Empty;
        for field in Fields::new(message) {
            let field = field?;
            value = match field.number {
                1 => Self::Text(text(field.bytes()?)?),
                2 => Self::Bool(field.varint()? != 0),
                3 => Self::Int(field.varint()?.cast_signed()),
                4 => Self::Double(f64::from_bits(field.fixed64()?)),
                5 => Self::Array(field.bytes()?),
                6 => Self::List(field.bytes()?),
                7 => Self::Bytes(field.bytes()?),
                _ => value,
            };
        }
        Ok(value)
    }

    fn check(&self, depth: u32) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Depth)?;
        match *self {
            Self::Array(message) => Fields::messages(message, 1).try_for_each(|value| Self::read(value?)?.check(depth)),
            Self::List(message) => Attributes::check_to(message, 1, depth).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Arrays and lists as JSON, which is what Jaeger shows of them; bytes within them as base64. Written at once: a tree
    /// of JSON values would be many times as large as the request.
    pub(crate) fn to_json(self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(self, out: &mut String) {
        match self {
            Self::Empty => out.push_str("null"),
            Self::Text(text) => push(out, text),
            Self::Bool(value) => push(out, &value),
            Self::Int(value) => push(out, &value),
            Self::Double(value) => push(out, &value),
            Self::Bytes(bytes) => push(out, &STANDARD.encode(bytes)),
            Self::Array(message) => {
                let values = Fields::messages(message, 1).flatten().filter_map(|value| Self::read(value).ok());
                out.push('[');
                for (index, value) in values.enumerate() {
                    comma(out, index);
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::List(message) => {
                out.push('{');
                for (index, (key, value)) in Attributes::of(message, 1).iter().enumerate() {
                    comma(out, index);
                    push(out, key);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

fn push<T: Serialize + ?Sized>(out: &mut String, value: &T) {
    // Strings and numbers are always JSON.
    out.push_str(&serde_json::to_string(value).unwrap_or_default());
}

fn comma(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}
