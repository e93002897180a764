//! The messages of `ExportTraceServiceRequest`, as far as they are kept: the JSON names of their fields, and what they are
//! on the wire.

/// A message.
pub(super) type Message = &'static [Field];

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text,
    /// An id: bytes in hex digits, where protobuf's own mapping has base64.
    Hex,
    Base64,
    Bool,
    /// 64 bits with sign: a decimal string, or a number.
    Int,
    /// An enum's number.
    Enum,
    /// 64 bits without sign, of fixed length.
    Fixed64,
    Double,
    One(Message),
    Many(Message),
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind }
}

pub(super) static REQUEST: [Field; 1] = [field("resourceSpans", 1, Kind::Many(&RESOURCE_SPANS))];

static RESOURCE_SPANS: [Field; 2] =
    [field("resource", 1, Kind::One(&RESOURCE)), field("scopeSpans", 2, Kind::Many(&SCOPE_SPANS))];

static RESOURCE: [Field; 1] = [field("attributes", 1, Kind::Many(&KEY_VALUE))];

static SCOPE_SPANS: [Field; 2] = [field("scope", 1, Kind::One(&SCOPE)), field("spans", 2, Kind::Many(&SPAN))];

static SCOPE: [Field; 2] = [field("name", 1, Kind::Text), field("version", 2, Kind::Text)];

static SPAN: [Field; 12] = [
    field("traceId", 1, Kind::Hex),
    field("spanId", 2, Kind::Hex),
    field("traceState", 3, Kind::Text),
    field("parentSpanId", 4, Kind::Hex),
    field("name", 5, Kind::Text),
    field("kind", 6, Kind::Enum),
    field("startTimeUnixNano", 7, Kind::Fixed64),
    field("endTimeUnixNano", 8, Kind::Fixed64),
    field("attributes", 9, Kind::Many(&KEY_VALUE)),
    field("events", 11, Kind::Many(&EVENT)),
    field("links", 13, Kind::Many(&LINK)),
    field("status", 15, Kind::One(&STATUS)),
];

static EVENT: [Field; 3] = [
    field("timeUnixNano", 1, Kind::Fixed64),
    field("name", 2, Kind::Text),
    field("attributes", 3, Kind::Many(&KEY_VALUE)),
];

static LINK: [Field; 3] =
    [field("traceId", 1, Kind::Hex), field("spanId", 2, Kind::Hex), field("attributes", 4, Kind::Many(&KEY_VALUE))];

static STATUS: [Field; 2] = [field("message", 2, Kind::Text), field("code", 3, Kind::Enum)];

static KEY_VALUE: [Field; 2] = [field("key", 1, Kind::Text), field("value", 2, Kind::One(&ANY_VALUE))];

static ANY_VALUE: [Field; 7] = [
    field("stringValue", 1, Kind::Text),
    field("boolValue", 2, Kind::Bool),
    field("intValue", 3, Kind::Int),
    field("doubleValue", 4, Kind::Double),
    field("arrayValue", 5, Kind::One(&ARRAY_VALUE)),
    field("kvlistValue", 6, Kind::One(&KEY_VALUE_LIST)),
    field("bytesValue", 7, Kind::Base64),
];

static ARRAY_VALUE: [Field; 1] = [field("values", 1, Kind::Many(&ANY_VALUE))];

static KEY_VALUE_LIST: [Field; 1] = [field("values", 1, Kind::Many(&KEY_VALUE))];
