//! `--set`, `--set-string`, `--set-json` and `--set-file`, with Helm's syntax.
//!
//! This follows Helm 4's `pkg/strvals`, its oddities included: `a.b=1,c={x,y},d[0].e=2`, a backslash takes a character's meaning, a
//! number with a leading zero is a string, and `null` deletes. The tests are Helm's own cases.

use serde_json::{Map, Value};

/// Deepest nesting of a key, and highest index, as in Helm.
const MOST_LEVELS: usize = 30;
const MOST_INDEX: usize = 65_536;

/// What the text after `=` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `--set`: true, false, null and whole numbers are typed.
    Typed,
    /// `--set-string`: always a string.
    Text,
    /// `--set-json`: JSON.
    Json,
    /// `--set-file`: the path of a file whose contents is the value.
    File,
}

impl Kind {
    /// As the command line has it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Typed => "--set",
            Self::Text => "--set-string",
            Self::Json => "--set-json",
            Self::File => "--set-file",
        }
    }
}

/// Why an assignment can't be made. The flag and the whole text are the caller's to add.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    #[error("key `{0}` has no value: write `{0}=VALUE`")]
    NoValue(String),
    #[error("key `{0}` is followed by a comma: write `{0}=VALUE`")]
    Comma(String),
    #[error("the index `{0}` is no number from 0 to {MOST_INDEX}")]
    Index(String),
    #[error("`{0}` after an index: allowed are `.`, `[` and `=`")]
    AfterIndex(String),
    #[error("`{0}` is {1} already, and can't be used as {2}")]
    Shape(String, &'static str, &'static str),
    #[error("a list has to end with `}}`")]
    OpenList,
    #[error("more than {MOST_LEVELS} levels in a key")]
    TooDeep,
    #[error("the value of `{key}` is no JSON: {error}")]
    Json { key: String, error: String },
    #[error("read the file of `{key}`: {error}")]
    File { key: String, error: String },
}

/// Applies one flag's text to a user's values.
///
/// `read_file` is asked for the contents of a path when `kind` is [`Kind::File`].
pub fn apply(
    text: &str,
    kind: Kind,
    into: &mut Map<String, Value>,
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), SetError> {
    if kind == Kind::Json && text.trim_start().starts_with('{') {
        let object: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| SetError::Json { key: "--set-json".to_owned(), error: error.to_string() })?;
        super::merge::overlay(into, object);
        return Ok(());
    }
    let mut parser = Parser { rest: text, kind, read_file };
    while !parser.rest.is_empty() {
        parser.key(into, 0)?;
    }
    Ok(())
}

struct Parser<'a> {
    rest: &'a str,
    kind: Kind,
    read_file: &'a dyn Fn(&str) -> Result<String, String>,
}

impl Parser<'_> {
    /// Reads up to a stop character, which is consumed; a backslash takes the meaning of the character after it.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut read = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if stops.contains(&character) {
                self.rest = &self.rest[at + character.len_utf8()..];
                return (read, Some(character));
            }
            let literal = if character == '\\' { characters.next().map(|(_, next)| next) } else { Some(character) };
            read.extend(literal);
        }
        self.rest = "";
        (read, None)
    }

    fn key(&mut self, data: &mut Map<String, Value>, level: usize) -> Result<(), SetError> {
        let (key, stop) = self.until(&['=', '[', ',', '.']);
        match stop {
            None if key.is_empty() => Ok(()),
            None => Err(SetError::NoValue(key)),
            Some(',') => Err(SetError::Comma(key)),
            Some('[') => self.indexed(data, key, level),
            Some('=') => {
                let value = self.value(&key)?;
                insert(data, key, value);
                Ok(())
            }
            Some(_) => self.nested(data, key, level),
        }
    }

    fn nested(&mut self, data: &mut Map<String, Value>, key: String, level: usize) -> Result<(), SetError> {
        if level + 1 > MOST_LEVELS {
            return Err(SetError::TooDeep);
        }
        let mut inner = match data.get(&key) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(inner)) => inner.clone(),
            Some(other) => return Err(shape(&key, other, "a map")),
        };
        self.key(&mut inner, level + 1)?;
        if inner.is_empty() {
            return Err(SetError::NoValue(key));
        }
        insert(data, key, Value::Object(inner));
        Ok(())
    }

    fn indexed(&mut self, data: &mut Map<String, Value>, key: String, level: usize) -> Result<(), SetError> {
        let index = self.index()?;
        let mut list = match data.get(&key) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.clone(),
            Some(other) => return Err(shape(&key, other, "a list")),
        };
        self.item(&mut list, index, &key, level)?;
        insert(data, key, Value::Array(list));
        Ok(())
    }

    fn index(&mut self) -> Result<usize, SetError> {
        let (text, stop) = self.until(&[']']);
        let index = text.parse().ok().filter(|index| *index <= MOST_INDEX && stop.is_some());
        index.ok_or(SetError::Index(text))
    }

    /// What follows `key[index]`.
    fn item(&mut self, list: &mut Vec<Value>, index: usize, key: &str, level: usize) -> Result<(), SetError> {
        let (between, stop) = self.until(&['[', '.', '=']);
        if !between.is_empty() {
            return Err(SetError::AfterIndex(between));
        }
        let existing = list.get(index).cloned().unwrap_or(Value::Null);
        let value = match stop {
            None => return Err(SetError::NoValue(format!("{key}[{index}]"))),
            Some('=') => self.value(key)?,
            Some('[') => {
                let next = self.index()?;
                let mut inner = match existing {
                    Value::Null => Vec::new(),
                    Value::Array(inner) => inner,
                    other => return Err(shape(key, &other, "a list")),
                };
                self.item(&mut inner, next, key, level)?;
                Value::Array(inner)
            }
            Some(_) => {
                let mut inner = match existing {
                    Value::Object(inner) => inner,
                    _ => Map::new(),
                };
                if self.rest.is_empty() {
                    return Err(SetError::NoValue(format!("{key}[{index}]")));
                }
                self.key(&mut inner, level)?;
                Value::Object(inner)
            }
        };
        if list.len() <= index {
            list.resize(index + 1, Value::Null);
        }
        list[index] = value;
        Ok(())
    }

    /// What follows `=`, up to the next comma.
    fn value(&mut self, key: &str) -> Result<Value, SetError> {
        if self.kind == Kind::Json {
            return self.json(key);
        }
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            return self.list(key);
        }
        let (text, _) = self.until(&[',']);
        self.typed(key, text)
    }

    fn list(&mut self, key: &str) -> Result<Value, SetError> {
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return Err(SetError::OpenList),
                Some(',') => items.push(self.typed(key, text)?),
                Some(_) => {
                    self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                    items.push(self.typed(key, text)?);
                    return Ok(Value::Array(items));
                }
            }
        }
    }

    fn json(&mut self, key: &str) -> Result<Value, SetError> {
        let problem = |error: serde_json::Error| SetError::Json { key: key.to_owned(), error: error.to_string() };
        let trimmed = self.rest.trim_start();
        if trimmed.is_empty() || trimmed.starts_with(',') {
            self.rest = trimmed.strip_prefix(',').unwrap_or(trimmed);
            return Ok(Value::Null);
        }
        let mut stream = serde_json::Deserializer::from_str(trimmed).into_iter::<Value>();
        let value = stream.next().unwrap_or(Ok(Value::Null)).map_err(problem)?;
        let rest = trimmed[stream.byte_offset()..].trim_start();
        self.rest = rest.strip_prefix(',').unwrap_or(rest);
        Ok(value)
    }

    fn typed(&self, key: &str, text: String) -> Result<Value, SetError> {
        match self.kind {
            Kind::Typed => Ok(typed(text)),
            Kind::Text | Kind::Json => Ok(Value::String(text)),
            Kind::File => (self.read_file)(&text)
                .map(Value::String)
                .map_err(|error| SetError::File { key: key.to_owned(), error }),
        }
    }
}

fn insert(data: &mut Map<String, Value>, key: String, value: Value) {
    // Helm leaves an empty key out.
    if !key.is_empty() {
        data.insert(key, value);
    }
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::from(0);
    }
    match text.parse::<i64>() {
        Ok(number) if !text.starts_with('0') => Value::from(number),
        _ => Value::String(text),
    }
}

fn shape(key: &str, found: &Value, wanted: &'static str) -> SetError {
    let found = match found {
        Value::Object(_) => "a map",
        Value::Array(_) => "a list",
        _ => "a single value",
    };
    SetError::Shape(key.to_owned(), found, wanted)
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
