//! Binary mode: attributes in headers, data in the body (HTTP binding, section 3.1).

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::error::{Error, Reason, shortened};
use super::rules::Draft;
use super::{Event, Mode, SPEC_VERSION, header, media, mode};

const PREFIX: &str = "ce-";

/// For an event that was checked.
pub(super) fn write(event: &Event) -> Result<(HeaderMap, Bytes), Error> {
    let mut headers = HeaderMap::with_capacity(8 + event.extensions.len());
    headers.insert(HeaderName::from_static("ce-specversion"), HeaderValue::from_static(SPEC_VERSION));
    let mut set = |key: HeaderName, value: &str| {
        let written = header::encode(value).map_err(|reason| Error::of(&key.as_str()[PREFIX.len()..], reason))?;
        headers.insert(key, written);
        Ok(())
    };
    set(HeaderName::from_static("ce-id"), &event.id)?;
    set(HeaderName::from_static("ce-source"), &event.source)?;
    set(HeaderName::from_static("ce-type"), &event.kind)?;
    let optional = [
        (HeaderName::from_static("ce-time"), &event.time),
        (HeaderName::from_static("ce-subject"), &event.subject),
        (HeaderName::from_static("ce-dataschema"), &event.dataschema),
    ];
    for (key, value) in optional {
        value.as_deref().map_or(Ok(()), |value| set(key, value))?;
    }
    for (name, value) in &event.extensions {
        let key = HeaderName::try_from(format!("{PREFIX}{name}")).map_err(|_| Error::of(name, Reason::Name))?;
        set(key, value)?;
    }
    if let Some(told) = &event.datacontenttype {
        let value = HeaderValue::from_str(told).map_err(|_| Error::of("datacontenttype", Reason::MediaType))?;
        headers.insert(CONTENT_TYPE, value);
        // It would be read as another mode.
        if mode(&headers) != Ok(Mode::Binary) {
            return Err(Error::of("datacontenttype", Reason::Nested));
        }
    }
    Ok((headers, event.data.clone().unwrap_or_default()))
}

pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Event, Error> {
    let mut draft = Draft::default();
    for (key, value) in headers {
        let Some(name) = key.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        match name {
            "datacontenttype" => return Err(Error::of(name, Reason::ContentType)),
            "data" => return Err(Error::of(name, Reason::Reserved)),
            _ => {}
        }
        let value = header::decode(value).map_err(|reason| Error::of(shortened(name), reason))?;
        draft.set(name, value)?;
    }
    let mut event = draft.finish()?;
    event.datacontenttype = media::content_type(headers)?.map(ToOwned::to_owned);
    event.data = (!body.is_empty()).then(|| body.clone());
    Ok(event)
}
