//! What holds for an event's attributes, however they are written.

use super::error::{Error, Reason, shortened};
use super::{Event, SPEC_VERSION, media, uri};

/// Names that extensions can't have: other attributes', and the ones that formats use for data.
const TAKEN: [&str; 9] =
    ["data", "id", "source", "specversion", "type", "time", "subject", "datacontenttype", "dataschema"];

impl Event {
    /// Whether every attribute is what the specification has it to be.
    pub(super) fn check(&self) -> Result<(), Error> {
        present("id", &self.id)?;
        present("source", &self.source)?;
        uri::reference(&self.source).map_err(|why| Error::of("source", Reason::UriReference(why)))?;
        present("type", &self.kind)?;
        if self.time.as_deref().is_some_and(|time| !crate::time::is_rfc3339(time)) {
            return Err(Error::of("time", Reason::Time));
        }
        if let Some(subject) = &self.subject {
            present("subject", subject)?;
        }
        if self.datacontenttype.as_deref().is_some_and(|told| !media::is_media_type(told)) {
            return Err(Error::of("datacontenttype", Reason::MediaType));
        }
        if let Some(schema) = &self.dataschema {
            present("dataschema", schema)?;
            uri::absolute(schema).map_err(|why| Error::of("dataschema", Reason::AbsoluteUri(why)))?;
        }
        self.extensions.iter().try_for_each(|(name, value)| {
            extension_name(name)?;
            text(name, value)
        })
    }
}

fn extension_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(Error::of(format!("{:?}", shortened(name)), Reason::Name));
    }
    if TAKEN.contains(&name) {
        return Err(Error::of(name, Reason::Reserved));
    }
    Ok(())
}

fn present(name: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::of(name, Reason::Empty));
    }
    text(name, value)
}

/// The type `String`: no control characters, no noncharacters. Surrogates can't be in a `str`.
fn text(name: &str, value: &str) -> Result<(), Error> {
    let forbidden = |c: &char| {
        let code = u32::from(*c);
        c.is_control() || matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
    };
    match value.chars().find(forbidden) {
        None => Ok(()),
        Some(c) => Err(Error::of(name, Reason::Character(c))),
    }
}

/// Attributes on their way from a message to an event.
#[derive(Debug, Default)]
pub(super) struct Draft {
    version: Option<String>,
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
    time: Option<String>,
    subject: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: std::collections::BTreeMap<String, String>,
}

impl Draft {
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        let before = match name {
            "specversion" => self.version.replace(value),
            "id" => self.id.replace(value),
            "source" => self.source.replace(value),
            "type" => self.kind.replace(value),
            "time" => self.time.replace(value),
            "subject" => self.subject.replace(value),
            "datacontenttype" => self.datacontenttype.replace(value),
            "dataschema" => self.dataschema.replace(value),
            name => self.extensions.insert(name.to_owned(), value),
        };
        before.map_or(Ok(()), |_| Err(Error::of(name, Reason::Repeated)))
    }

    /// The event, when what is required is there; the values are not checked yet.
    pub(super) fn finish(self) -> Result<Event, Error> {
        let missing = |name| move || Error::of(name, Reason::Missing);
        let version = self.version.ok_or_else(missing("specversion"))?;
        if version != SPEC_VERSION {
            return Err(Error::of("specversion", Reason::Version(shortened(&version))));
        }
        Ok(Event {
            id: self.id.ok_or_else(missing("id"))?,
            source: self.source.ok_or_else(missing("source"))?,
            kind: self.kind.ok_or_else(missing("type"))?,
            time: self.time,
            subject: self.subject,
            datacontenttype: self.datacontenttype,
            dataschema: self.dataschema,
            extensions: self.extensions,
            data: None,
        })
    }
}
