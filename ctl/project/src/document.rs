//! A YAML text with the places of its keys and values.
//!
//! Values are read by `manifests`, so that they mean what they mean everywhere else in msctl. The parser's events are read a second
//! time for the places, and the two are walked together: a map keeps its order, so the first key of one is the first key of the other.

use std::collections::HashMap;
use std::path::Path;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput};
use manifests::values::parse_yaml;
use serde_json::Value;

use crate::problem::{Place, Problem};

/// A text that was read.
#[derive(Debug)]
pub(crate) struct Document {
    value: Value,
    /// One a document of the text. Several are laid over each other, and then their values have no places.
    nodes: Vec<Node>,
}

/// The place of a value, and the places of what is in it.
#[derive(Debug, Clone)]
struct Node {
    at: Place,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// Its text: `0400` is 256 as a value.
    Scalar(String),
    List(Vec<Node>),
    /// Each with the place of its key, in order. What the merge key `<<` brings comes after them, and has no places.
    Map(Vec<(Place, Node)>),
}

/// A value within a document.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    /// The keys down to it, such as `services.orders.run[1]`, written as `--set` and the values' errors write them.
    pub(crate) path: String,
    /// Where its key is; of an item of a list, where the item is.
    pub(crate) key: Place,
    pub(crate) value: &'a Value,
    node: Option<&'a Node>,
}

impl Document {
    /// Reads a text, which may be empty; the error is the first thing that makes it unreadable.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<Self, Problem> {
        let value = parse_yaml(text, "").map_err(|error| Problem::yaml(file, error))?;
        let broken = |error: ScanError| {
            let at = Place { line: error.marker().line(), column: error.marker().col() + 1 };
            Problem::new(file, at, error.info())
        };
        let nodes = Places::new(text).documents().map_err(broken)?;
        Ok(Self { value, nodes })
    }

    pub(crate) fn root(&self) -> Cursor<'_> {
        let node = if let [node] = self.nodes.as_slice() { Some(node) } else { None };
        Cursor { path: String::new(), key: node.map_or(Place::NONE, |node| node.at), value: &self.value, node }
    }

    /// Where the second document of the text starts.
    pub(crate) fn second(&self) -> Option<Place> {
        self.nodes.get(1).map(|node| node.at)
    }
}

impl<'a> Cursor<'a> {
    /// Where it is. What has no text of its own, as the value of `run:`, is where its key is.
    pub(crate) fn at(&self) -> Place {
        match self.node {
            Some(node) if !self.value.is_null() => node.at,
            _ => self.key,
        }
    }

    /// The text of a string, a number or a boolean, as it was written.
    pub(crate) fn text(&self) -> Option<String> {
        match (self.node.map(|node| &node.content), self.value) {
            (_, Value::String(text)) | (Some(Content::Scalar(text)), Value::Number(_) | Value::Bool(_)) => {
                Some(text.clone())
            }
            (_, Value::Number(_) | Value::Bool(_)) => Some(self.value.to_string()),
            _ => None,
        }
    }

    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Cursor<'a>)> + use<'a> {
        let (path, key) = (self.path.clone(), self.key);
        let places: &'a [(Place, Node)] = match self.node.map(|node| &node.content) {
            Some(Content::Map(places)) => places,
            _ => &[],
        };
        self.value.as_object().into_iter().flatten().enumerate().map(move |(index, (name, value))| {
            let place = places.get(index);
            let key = place.map_or(key, |(key, _)| *key);
            let node = place.map(|(_, node)| node);
            (name.as_str(), Cursor { path: join(&path, name), key, value, node })
        })
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> impl Iterator<Item = Cursor<'a>> + use<'a> {
        let (path, key) = (self.path.clone(), self.key);
        let nodes: &'a [Node] = match self.node.map(|node| &node.content) {
            Some(Content::List(nodes)) => nodes,
            _ => &[],
        };
        self.value.as_array().into_iter().flatten().enumerate().map(move |(index, value)| {
            let node = nodes.get(index);
            Cursor { path: format!("{path}[{index}]"), key: node.map_or(key, |node| node.at), value, node }
        })
    }

    /// A path that starts here as one that starts at the root.
    pub(crate) fn within(&self, path: &str) -> String {
        let dot = if self.path.is_empty() || path.starts_with('[') { "" } else { "." };
        format!("{}{dot}{path}", self.path)
    }

    /// The same value as the root of paths.
    pub(crate) fn as_root(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }

    /// What is at a path, or the nearest map or list on the way there.
    pub(crate) fn nearest(&self, path: &str) -> Self {
        let within = |cursor: &Self| {
            path.strip_prefix(&cursor.path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let next = self.entries().map(|(_, entry)| entry).chain(self.items()).find(within);
        next.map_or_else(|| self.clone(), |next| next.nearest(path))
    }
}

/// A dot within a key is escaped, as `--set` wants it.
fn join(path: &str, key: &str) -> String {
    let key = key.replace('.', "\\.");
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Builds the places from the parser's events. What makes a text unreadable was found before.
struct Places<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        let mut options = Options::default();
        options.set_emit_comments(false);
        Self { parser: Parser::new_from_str_with_options(text, options), anchors: HashMap::new() }
    }

    fn documents(mut self) -> Result<Vec<Node>, ScanError> {
        let mut documents = Vec::new();
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(documents),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => self.anchors.clear(),
                (event, span) => documents.push(self.node(event, span)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ScanError> {
        self.parser.next().unwrap_or_else(|| Ok((Event::StreamEnd, Span::default())))
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, ScanError> {
        let at = place(span);
        let (anchor, content) = match event {
            Event::Alias(id) => {
                let content = self.anchors.get(&id).map(|node| node.content.clone());
                return Ok(Node { at, content: content.unwrap_or(Content::List(Vec::new())) });
            }
            Event::Scalar(text, _, anchor, _) => (anchor, Content::Scalar(text.into_owned())),
            Event::SequenceStart(_, anchor, _) => (anchor, self.list()?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map()?),
            _ => (0, Content::List(Vec::new())),
        };
        let node = Node { at, content };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Content, ScanError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Content, ScanError> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Content::Map(entries));
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if !merges {
                entries.push((key.at, value));
            }
        }
    }
}

fn place(span: Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}
