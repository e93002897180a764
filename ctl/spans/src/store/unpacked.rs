//! Spans as bytes, read: what `packed` wrote.

use super::packed::{HAS_EXTRAS, HAS_PARENT, OUTCOME_SHIFT, tag};
use super::texts::Text;
use crate::cursor::Cursor;
use crate::otlp::{Kind, Outcome};

/// A span of a trace.
#[derive(Debug)]
pub(crate) struct Span<'a> {
    pub(crate) id: u64,
    /// 0: a root.
    pub(crate) parent: u64,
    pub(crate) kind: Kind,
    pub(crate) outcome: Outcome,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    /// Nanoseconds.
    pub(crate) duration: u64,
    pub(crate) name: Text<'a>,
    pub(crate) process: u32,
    pub(crate) scope: u32,
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) description: Text<'a>,
    pub(crate) state: Text<'a>,
    pub(crate) events: Vec<Event<'a>>,
    pub(crate) links: Vec<Link>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute<'a> {
    pub(crate) key: Text<'a>,
    pub(crate) value: Value<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Empty,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text<'a>),
    Bytes(&'a [u8]),
}

#[derive(Debug)]
pub(crate) struct Event<'a> {
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    pub(crate) name: Text<'a>,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

#[derive(Debug)]
pub(crate) struct Link {
    /// It says of itself that it is a parent.
    pub(crate) is_parent: bool,
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

/// A resource.
#[derive(Debug)]
pub(crate) struct Process<'a> {
    pub(crate) service: Text<'a>,
    pub(crate) attributes: Vec<Attribute<'a>>,
}

#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) version: Text<'a>,
}

/// The id of a packed span.
pub(super) fn id(bytes: &[u8]) -> Option<u64> {
    Cursor::new(bytes).fixed64()
}

impl<'a> Span<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let cursor = &mut cursor;
        let id = cursor.fixed64()?;
        let flags = cursor.byte()?;
        let parent = if flags & HAS_PARENT == 0 { 0 } else { cursor.fixed64()? };
        let start = cursor.fixed64()?;
        let mut span = Self {
            id,
            parent,
            kind: Kind::new(u64::from(flags & 7)),
            outcome: Outcome::new(u64::from(flags >> OUTCOME_SHIFT & 3)),
            start,
            duration: cursor.varint()?,
            name: Text::read(cursor)?,
            process: number(cursor)?,
            scope: number(cursor)?,
            attributes: attributes(cursor)?,
            description: Text::Inline(""),
            state: Text::Inline(""),
            events: Vec::new(),
            links: Vec::new(),
        };
        if flags & HAS_EXTRAS != 0 {
            span.description = Text::read(cursor)?;
            span.state = Text::read(cursor)?;
            span.events = list(cursor, |cursor| Event::read(cursor, start))?;
            span.links = list(cursor, Link::read)?;
        }
        Some(span)
    }

    /// Every string of the span.
    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'a>> {
        let own = [self.name, self.description, self.state].into_iter();
        let events = self.events.iter().flat_map(|event| texts(&event.attributes).chain([event.name]));
        own.chain(texts(&self.attributes)).chain(events)
    }
}

impl<'a> Event<'a> {
    fn read(cursor: &mut Cursor<'a>, start: u64) -> Option<Self> {
        let time = start.wrapping_add_signed(cursor.zigzag()?);
        Some(Self { time, name: Text::read(cursor)?, attributes: attributes(cursor)? })
    }
}

impl Link {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self { is_parent: cursor.byte()? != 0, trace: cursor.fixed128()?, span: cursor.fixed64()? })
    }
}

impl<'a> Process<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        Some(Self { service: Text::read(&mut cursor)?, attributes: attributes(&mut cursor)? })
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'a>> {
        texts(&self.attributes).chain([self.service])
    }
}

impl<'a> Scope<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        Some(Self { name: Text::read(&mut cursor)?, version: Text::read(&mut cursor)? })
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = Text<'a>> {
        [self.name, self.version].into_iter()
    }
}

fn texts<'a>(attributes: &[Attribute<'a>]) -> impl Iterator<Item = Text<'a>> {
    attributes.iter().flat_map(|attribute| {
        let value = if let Value::Text(text) = attribute.value { Some(text) } else { None };
        value.into_iter().chain([attribute.key])
    })
}

fn number(cursor: &mut Cursor<'_>) -> Option<u32> {
    cursor.varint().and_then(|number| u32::try_from(number).ok())
}

fn list<'a, T>(cursor: &mut Cursor<'a>, read: impl Fn(&mut Cursor<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = cursor.number()?;
    (0..count).map(|_| read(cursor)).collect()
}

fn attributes<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Attribute<'a>>> {
    list(cursor, |cursor| Some(Attribute { key: Text::read(cursor)?, value: value(cursor)? }))
}

fn value<'a>(cursor: &mut Cursor<'a>) -> Option<Value<'a>> {
    Some(match cursor.byte()? {
        tag::EMPTY => Value::Empty,
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::INT => Value::Int(cursor.zigzag()?),
        tag::DOUBLE => Value::Double(f64::from_bits(cursor.fixed64()?)),
        tag::TEXT => Value::Text(Text::read(cursor)?),
        tag::BYTES => {
            let length = cursor.number()?;
            Value::Bytes(cursor.take(length)?)
        }
        _ => return None,
    })
}
