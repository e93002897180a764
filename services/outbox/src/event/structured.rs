//! Structured mode in the JSON format: attributes and data in one JSON object.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::error::{Error, Reason, shortened};
use super::rules::Draft;
use super::{Event, JSON, SPEC_VERSION, STRUCTURED, declares_json};

const DATA: &str = "data";
const BASE64: &str = "data_base64";

/// For an event that was checked.
pub(super) fn write(event: &Event) -> Result<(HeaderMap, Bytes), Error> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(STRUCTURED))]);
    let body = serde_json::to_vec(&Envelope(event)).map_err(|error| Error::Envelope(error.to_string()))?;
    Ok((headers, body.into()))
}

struct Envelope<'a>(&'a Event);

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event) = self;
        let mut object = serializer.serialize_map(None)?;
        let required = [("specversion", SPEC_VERSION), ("id", &event.id), ("source", &event.source)];
        for (name, value) in required.into_iter().chain([("type", event.kind.as_str())]) {
            object.serialize_entry(name, value)?;
        }
        let optional = [
            ("time", &event.time),
            ("subject", &event.subject),
            ("datacontenttype", &event.datacontenttype),
            ("dataschema", &event.dataschema),
        ];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))) {
            object.serialize_entry(name, value)?;
        }
        for (name, value) in &event.extensions {
            object.serialize_entry(name, value)?;
        }
        if let Some(data) = event.data.as_deref() {
            // What claims to be JSON and is none goes as bytes: the receiver sees what was sent.
            let json = event.datacontenttype.as_deref().is_none_or(declares_json);
            match serde_json::from_slice::<&RawValue>(data) {
                Ok(raw) if json => object.serialize_entry(DATA, raw)?,
                _ => object.serialize_entry(BASE64, &STANDARD.encode(data))?,
            }
        }
        object.end()
    }
}

pub(super) fn read(body: &[u8]) -> Result<Event, Error> {
    let text = str::from_utf8(body).map_err(|error| Error::Envelope(format!("it is not UTF-8: {error}")))?;
    let Members(members) = serde_json::from_str(text).map_err(|error| Error::Envelope(error.to_string()))?;
    let mut draft = Draft::default();
    let (mut data, mut base64) = (None, None);
    for (name, raw) in members {
        let slot = match name.as_str() {
            DATA => &mut data,
            BASE64 => &mut base64,
            _ => {
                if let Some(value) = attribute(&name, raw)? {
                    draft.set(&name, value)?;
                }
                continue;
            }
        };
        if slot.replace(raw).is_some() {
            return Err(Error::of(name, Reason::Repeated));
        }
    }
    let mut event = draft.finish()?;
    event.data = match (data, base64) {
        (Some(_), Some(_)) => return Err(Error::of(DATA, Reason::Both)),
        (Some(raw), None) => Some(plain(&mut event, raw)?),
        (None, Some(raw)) => Some(decoded(raw)?),
        (None, None) => None,
    };
    Ok(event)
}

/// The canonical text of an attribute; `null` is one that is not set.
fn attribute(name: &str, raw: &RawValue) -> Result<Option<String>, Error> {
    let text = raw.get();
    let core =
        ["specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema"].contains(&name);
    match text.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => string(name, raw).map(Some),
        _ if core => Err(Error::of(name, Reason::Json("a JSON string"))),
        Some(b't' | b'f') => Ok(Some(text.to_owned())),
        _ => match text.parse::<i32>() {
            Ok(number) => Ok(Some(number.to_string())),
            Err(_) => Err(Error::of(
                shortened(name),
                Reason::Json("a JSON string, true, false, or a whole number from -2147483648 to 2147483647"),
            )),
        },
    }
}

fn string(name: &str, raw: &RawValue) -> Result<String, Error> {
    serde_json::from_str(raw.get())
        .map_err(|error| Error::of(shortened(name), Reason::Unreadable(format!("it must be a JSON string: {error}"))))
}

/// The member `data`: JSON as it was written, or the text of another media type.
fn plain(event: &mut Event, raw: &RawValue) -> Result<Bytes, Error> {
    // Said for whoever sends it on in another format, where its absence would mean something else.
    let told = event.datacontenttype.get_or_insert_with(|| JSON.to_owned());
    if declares_json(told) {
        return Ok(Bytes::copy_from_slice(raw.get().as_bytes()));
    }
    string(DATA, raw).map(Bytes::from)
}

fn decoded(raw: &RawValue) -> Result<Bytes, Error> {
    let text = string(BASE64, raw)?;
    let bytes = STANDARD.decode(text).map_err(|error| Error::of(BASE64, Reason::Unreadable(error.to_string())))?;
    Ok(bytes.into())
}

/// The members of an object in order, each as it was written: a map would hide the ones that are there twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(12);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader).map(Self)
    }
}
