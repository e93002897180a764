//! Spans as bytes, written: some hundred each, where a struct with its lists would be several times that.
//!
//! Numbers are varints, strings are [`Texts`]. A span is: id, flags, parent, start, duration, name, process, scope,
//! description, state, attributes, events, links; what the flags say is missing is left out. `unpacked` reads it.

use super::texts::Texts;
use crate::cursor::{put_number, put_varint, put_zigzag};
use crate::otlp::{AnyValue, Attributes, Event, Link, Scope, Span};

/// Bits of a span's flags, above those of its kind and its outcome.
pub(super) const OUTCOME_SHIFT: u8 = 3;
pub(super) const HAS_PARENT: u8 = 1 << 5;
pub(super) const HAS_EXTRAS: u8 = 1 << 6;

/// What an attribute's value is.
pub(super) mod tag {
    pub(in super::super) const EMPTY: u8 = 0;
    pub(in super::super) const FALSE: u8 = 1;
    pub(in super::super) const TRUE: u8 = 2;
    pub(in super::super) const INT: u8 = 3;
    pub(in super::super) const DOUBLE: u8 = 4;
    pub(in super::super) const TEXT: u8 = 5;
    pub(in super::super) const BYTES: u8 = 6;
}

/// Parts of one span above which the rest is left out and counted: several times what SDKs allow. Read again, such a part
/// takes more than the two bytes that it may have in a request.
const MOST: usize = 1024;
/// As many for an event; there may be that many of them.
const MOST_OF_EVENT: usize = 128;
const LEFT_OUT: &str = "otel.dropped_attributes_count";

/// What a link says of itself as `OpenTracing`'s shims write it.
const LINK_TYPE: &str = "opentracing.ref_type";

pub(super) fn span(out: &mut Vec<u8>, texts: &mut Texts, span: &Span<'_>, process: u32, scope: u32) {
    out.extend_from_slice(&span.id.to_le_bytes());
    let (mut events, mut links) = (Vec::new(), Vec::new());
    let event_count = span.events().take(MOST).map(|event| self::event(&mut events, texts, &event, span.start)).count();
    let link_count = span.links().take(MOST).map(|link| self::link(&mut links, &link)).count();
    let has_extras = event_count + link_count > 0 || !span.state.is_empty() || !span.description.is_empty();
    let mut flags = span.kind as u8 | (span.outcome as u8) << OUTCOME_SHIFT;
    if span.parent != 0 {
        flags |= HAS_PARENT;
    }
    if has_extras {
        flags |= HAS_EXTRAS;
    }
    out.push(flags);
    if span.parent != 0 {
        out.extend_from_slice(&span.parent.to_le_bytes());
    }
    out.extend_from_slice(&span.start.to_le_bytes());
    // A clock that was set back between the two makes it zero.
    put_varint(out, span.end.saturating_sub(span.start));
    texts.pack(out, span.name);
    put_varint(out, process.into());
    put_varint(out, scope.into());
    attributes(out, texts, span.attributes(), MOST);
    if has_extras {
        texts.pack(out, span.description);
        texts.pack(out, span.state);
        put_number(out, event_count);
        out.extend_from_slice(&events);
        put_number(out, link_count);
        out.extend_from_slice(&links);
    }
}

/// The resource of spans: the service's name, by number always, and the other attributes.
pub(super) fn process(out: &mut Vec<u8>, texts: &mut Texts, service: &str, attributes: Attributes<'_>) {
    texts.pack_by_number(out, service);
    let others = || attributes.iter().filter(|(key, _)| *key != "service.name").take(MOST);
    put_number(out, others().count());
    for (key, value) in others() {
        texts.pack_by_number(out, key);
        match value {
            // By number at once, so that equal resources are equal bytes.
            AnyValue::Text(text) => {
                out.push(tag::TEXT);
                texts.pack_by_number(out, text);
            }
            value => self::value(out, texts, value),
        }
    }
}

pub(super) fn scope(out: &mut Vec<u8>, texts: &mut Texts, scope: Scope<'_>) {
    texts.pack_by_number(out, scope.name);
    texts.pack_by_number(out, scope.version);
}

fn attributes(out: &mut Vec<u8>, texts: &mut Texts, attributes: Attributes<'_>, most: usize) {
    let count = attributes.iter().count();
    let left_out = count.saturating_sub(most);
    put_number(out, count.min(most) + usize::from(left_out > 0));
    for (key, value) in attributes.iter().take(most) {
        texts.pack(out, key);
        self::value(out, texts, value);
    }
    if left_out > 0 {
        texts.pack(out, LEFT_OUT);
        self::value(out, texts, AnyValue::Int(i64::try_from(left_out).unwrap_or(i64::MAX)));
    }
}

fn value(out: &mut Vec<u8>, texts: &mut Texts, value: AnyValue<'_>) {
    match value {
        AnyValue::Empty => out.push(tag::EMPTY),
        AnyValue::Bool(false) => out.push(tag::FALSE),
        AnyValue::Bool(true) => out.push(tag::TRUE),
        AnyValue::Int(value) => {
            out.push(tag::INT);
            put_zigzag(out, value);
        }
        AnyValue::Double(value) => {
            out.push(tag::DOUBLE);
            out.extend_from_slice(&value.to_le_bytes());
        }
        AnyValue::Text(text) => {
            out.push(tag::TEXT);
            texts.pack(out, text);
        }
        AnyValue::Bytes(bytes) => {
            out.push(tag::BYTES);
            put_number(out, bytes.len());
            out.extend_from_slice(bytes);
        }
        AnyValue::Array(_) | AnyValue::List(_) => {
            out.push(tag::TEXT);
            // No number: it would have to be the same one for the same resource, and such values are rare.
            let json = value.to_json();
            put_number(out, json.len() << 1);
            out.extend_from_slice(json.as_bytes());
        }
    }
}

fn event(out: &mut Vec<u8>, texts: &mut Texts, event: &Event<'_>, start: u64) {
    put_zigzag(out, event.time.wrapping_sub(start).cast_signed());
    texts.pack(out, event.name);
    attributes(out, texts, event.attributes(), MOST_OF_EVENT);
}

fn link(out: &mut Vec<u8>, link: &Link<'_>) {
    let is_parent = link.attributes().iter().any(|attribute| attribute == (LINK_TYPE, AnyValue::Text("child_of")));
    out.push(is_parent.into());
    out.extend_from_slice(&link.trace.to_le_bytes());
    out.extend_from_slice(&link.span.to_le_bytes());
}
