//! A span, its events and its links.

use super::value::Attributes;
use super::wire::{Fields, Malformed, text};

/// A span of a request; its attributes, events and links were seen to be well formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    message: &'a [u8],
    pub(crate) trace: u128,
    pub(crate) id: u64,
    /// 0: a root.
    pub(crate) parent: u64,
    pub(crate) state: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) outcome: Outcome,
    /// The status's description.
    pub(crate) description: &'a str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// A status's code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    #[default]
    Unset,
    Fine,
    Failed,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    message: &'a [u8],
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    pub(crate) name: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    message: &'a [u8],
    /// 0, like a span id of 0: malformed.
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

impl Kind {
    /// Of an enum's number; one that this version of OTLP does not have is unspecified.
    pub(crate) fn new(number: u64) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }
}

impl Outcome {
    pub(crate) fn new(number: u64) -> Self {
        match number {
            1 => Self::Fine,
            2 => Self::Failed,
            _ => Self::Unset,
        }
    }
}

impl<'a> Span<'a> {
    /// `None` for a span whose own ids are not 16 and 8 bytes, or all zeros.
    pub(super) fn read(message: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut span = Self {
            message,
            trace: 0,
            id: 0,
            parent: 0,
            state: "",
            name: "",
            kind: Kind::default(),
            start: 0,
            end: 0,
            outcome: Outcome::default(),
            description: "",
        };
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => span.trace = trace_id(field.bytes()?),
                2 => span.id = span_id(field.bytes()?),
                3 => span.state = text(field.bytes()?)?,
                4 => span.parent = span_id(field.bytes()?),
                5 => span.name = text(field.bytes()?)?,
                6 => span.kind = Kind::new(field.varint()?),
                7 => span.start = field.fixed64()?,
                8 => span.end = field.fixed64()?,
                11 => _ = Event::read(field.bytes()?)?,
                13 => _ = Link::read(field.bytes()?)?,
                15 => (span.description, span.outcome) = status(field.bytes()?)?,
                _ => {}
            }
        }
        Attributes::check(message, 9)?;
        Ok((span.trace != 0 && span.id != 0).then_some(span))
    }

    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes::of(self.message, 9)
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = Event<'a>> {
        Fields::messages(self.message, 11).flatten().filter_map(|event| Event::read(event).ok())
    }

    /// Links to spans; those with a malformed id are left out.
    pub(crate) fn links(&self) -> impl Iterator<Item = Link<'a>> {
        let links = Fields::messages(self.message, 13).flatten().filter_map(|link| Link::read(link).ok());
        links.filter(|link| link.trace != 0 && link.span != 0)
    }
}

fn status(message: &[u8]) -> Result<(&str, Outcome), Malformed> {
    let mut status = ("", Outcome::default());
    for field in Fields::new(message) {
        let field = field?;
        match field.number {
            2 => status.0 = text(field.bytes()?)?,
            3 => status.1 = Outcome::new(field.varint()?),
            _ => {}
        }
    }
    Ok(status)
}

impl<'a> Event<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut event = Self { message, time: 0, name: "" };
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => event.time = field.fixed64()?,
                2 => event.name = text(field.bytes()?)?,
                _ => {}
            }
        }
        Attributes::check(message, 3)?;
        Ok(event)
    }

    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes::of(self.message, 3)
    }
}

impl<'a> Link<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut link = Self { message, trace: 0, span: 0 };
        for field in Fields::new(message) {
            let field = field?;
            match field.number {
                1 => link.trace = trace_id(field.bytes()?),
                2 => link.span = span_id(field.bytes()?),
                _ => {}
            }
        }
        Attributes::check(message, 4)?;
        Ok(link)
    }

    pub(crate) fn attributes(&self) -> Attributes<'a> {
        Attributes::of(self.message, 4)
    }
}

/// 0, which is no id, for what has not the length of one.
fn trace_id(bytes: &[u8]) -> u128 {
    bytes.try_into().map_or(0, u128::from_be_bytes)
}

fn span_id(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
