//! Reading a file of values the way kubectl and helm do.
//!
//! The documents of one file are laid over each other, as in Helm 4. A key that is there twice in one map is an error: Helm keeps the
//! last one silently.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::merge::overlay;
use super::scalar::{self, ScalarError};

/// Nodes that a file may have once its aliases are expanded.
const MOST_NODES: usize = 1_000_000;

/// Why a file of values can't be read. Lines and columns count from 1.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    #[error("read {source_name} as YAML: line {line}, column {column}: {problem}")]
    Syntax { source_name: String, line: usize, column: usize, problem: String },
    #[error("read {source_name}: line {line}, column {column}: `{text}`: {problem}")]
    Scalar { source_name: String, line: usize, column: usize, text: String, problem: ScalarError },
    #[error("read {source_name}: the document is {found}; values are a map, such as `replicas: 3`")]
    NotAMap { source_name: String, found: &'static str },
}

/// Reads values from YAML or JSON; an empty text is an empty map.
///
/// `source_name` names the text in errors: the file's name, or `standard input`.
pub fn parse_yaml(text: &str, source_name: &str) -> Result<Value, YamlError> {
    let mut composer = Composer::new(text, source_name);
    let mut values = Map::new();
    while let Some(document) = composer.document()? {
        match document {
            Value::Null => {}
            Value::Object(map) => overlay(&mut values, map),
            other => return Err(YamlError::NotAMap { source_name: source_name.to_owned(), found: kind(&other) }),
        }
    }
    Ok(Value::Object(values))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// The parser's options: comments carry no values.
fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options
}

/// Builds values from the parser's events.
struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    source_name: &'a str,
    anchors: HashMap<usize, Value>,
    nodes: usize,
}

/// A key of a map, or the merge key `<<`.
enum Key {
    Name(String),
    Merge,
}

impl<'a> Composer<'a> {
    fn new(text: &'a str, source_name: &'a str) -> Self {
        let parser = Parser::new_from_str_with_options(text, options());
        Self { parser, source_name, anchors: HashMap::new(), nodes: 0 }
    }

    /// The next document, or nothing at the end.
    fn document(&mut self) -> Result<Option<Value>, YamlError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => self.anchors.clear(),
                event => return self.node(event, span).map(Some),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.parser.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Value, YamlError> {
        self.count(1, span)?;
        let (anchor, value) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), span)?),
            Event::SequenceStart(_, anchor, _) => (anchor, self.sequence()?),
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping()?),
            other => return Err(self.syntax(span, format!("unexpected {other:?}"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Value, YamlError> {
        let Some(value) = self.anchors.get(&id).cloned() else {
            return Err(self.syntax(span, "an alias inside what it stands for".to_owned()));
        };
        self.count(size(&value), span)?;
        Ok(value)
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(self.syntax(span, format!("more than {MOST_NODES} nodes, aliases expanded")));
        }
        Ok(())
    }

    fn sequence(&mut self) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, YamlError> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.key(event, span)?;
            let (value_event, value_span) = self.next()?;
            let value = self.node(value_event, value_span)?;
            match key {
                Key::Merge => merged.push((value, value_span)),
                Key::Name(name) if map.contains_key(&name) => {
                    return Err(self.syntax(span, format!("the key `{name}` is there twice")));
                }
                Key::Name(name) => {
                    map.insert(name, value);
                }
            }
        }
        for (value, span) in merged {
            self.merge_key(&mut map, value, span)?;
        }
        Ok(Value::Object(map))
    }

    /// `<<`: keys of other maps, where the map itself has none.
    fn merge_key(&self, map: &mut Map<String, Value>, value: Value, span: Span) -> Result<(), YamlError> {
        let sources = match value {
            Value::Array(items) => items,
            value => vec![value],
        };
        for source in sources {
            let Value::Object(source) = source else {
                return Err(self.syntax(span, "<< takes a map or a list of maps".to_owned()));
            };
            for (key, value) in source {
                map.entry(key).or_insert(value);
            }
        }
        Ok(())
    }

    fn key(&mut self, event: Event<'a>, span: Span) -> Result<Key, YamlError> {
        if let Event::Scalar(text, ScalarStyle::Plain, _, None) = &event
            && text == "<<"
        {
            return Ok(Key::Merge);
        }
        match self.node(event, span)? {
            Value::String(text) => Ok(Key::Name(text)),
            Value::Bool(truth) => Ok(Key::Name(truth.to_string())),
            Value::Number(number) => Ok(Key::Name(number.to_string())),
            other => Err(self.syntax(span, format!("a key is {}; keys are strings", kind(&other)))),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Value, YamlError> {
        let problem = |problem| YamlError::Scalar {
            source_name: self.source_name.to_owned(),
            line: span.start.line(),
            column: span.start.col() + 1,
            text: text.to_owned(),
            problem,
        };
        match tag.and_then(Tag::core_suffix) {
            None if tag.is_some() => {
                Err(self.syntax(span, "a tag that kubectl and helm do not know; leave it out".to_owned()))
            }
            None if style == ScalarStyle::Plain => scalar::plain(text).map_err(problem),
            None | Some("str") => Ok(Value::from(text)),
            Some(wanted) => {
                let value = scalar::plain(text).map_err(problem)?;
                let fits = match wanted {
                    "bool" => value.is_boolean(),
                    "int" => value.is_i64() || value.is_u64(),
                    "float" => value.is_number(),
                    "null" => value.is_null(),
                    _ => false,
                };
                if fits { Ok(value) } else { Err(self.syntax(span, format!("`{text}` is no {wanted}"))) }
            }
        }
    }

    fn syntax(&self, span: Span, problem: String) -> YamlError {
        YamlError::Syntax {
            source_name: self.source_name.to_owned(),
            line: span.start.line(),
            column: span.start.col() + 1,
            problem,
        }
    }

    fn scan_error(&self, error: &ScanError) -> YamlError {
        YamlError::Syntax {
            source_name: self.source_name.to_owned(),
            line: error.marker().line(),
            column: error.marker().col() + 1,
            problem: error.info(),
        }
    }
}

/// Nodes of a value.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.values().map(size).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        parse_yaml(text, "test.yaml").unwrap()
    }

    fn refused(text: &str) -> String {
        parse_yaml(text, "test.yaml").unwrap_err().to_string()
    }

    #[test]
    fn quotes_keep_a_scalar_a_string() {
        let text = "a: yes\nb: 'yes'\nc: \"0400\"\nd: 0400\ne: |\n  no\nf: !!str 5\ng: !!int 0x10\n";
        assert_eq!(read(text), json!({"a": true, "b": "yes", "c": "0400", "d": 256, "e": "no\n", "f": "5", "g": 16}));
    }

    #[test]
    fn keys_are_scalars_too() {
        assert_eq!(read("on: 1\n8080: a\n0400: b\n"), json!({"true": 1, "8080": "a", "256": "b"}));
    }

    #[test]
    fn anchors_aliases_and_merge_keys_are_expanded() {
        let text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\nlist: &l [1]\nagain: *l\n";
        assert_eq!(read(text), json!({"base": {"a": 1, "b": 2}, "more": {"b": 3, "a": 1}, "list": [1], "again": [1]}));
    }

    #[test]
    fn documents_of_one_file_are_laid_over_each_other() {
        assert_eq!(read("a: {x: 1}\n---\na: {z: 2}\n---\n"), json!({"a": {"x": 1, "z": 2}}));
        assert_eq!(read(""), json!({}));
        assert_eq!(read("# nothing\n"), json!({}));
        assert_eq!(read("{\"a\": [1, null]}"), json!({"a": [1, null]}));
    }

    #[test]
    fn what_is_no_map_is_refused_by_name() {
        assert_eq!(refused("- a\n"), "read test.yaml: the document is a list; values are a map, such as `replicas: 3`");
    }

    #[test]
    fn a_syntax_error_says_where() {
        let error = refused("a:\n  - b\n c: d\n");
        assert!(error.starts_with("read test.yaml as YAML: line 3, column "), "{error}");
    }

    #[test]
    fn a_doubled_key_is_refused() {
        assert_eq!(
            refused("a: 1\nb: 2\na: 3\n"),
            "read test.yaml as YAML: line 3, column 1: the key `a` is there twice"
        );
    }

    #[test]
    fn a_date_is_refused_with_its_place() {
        assert_eq!(
            refused("image:\n  tag: 2024-01-02\n"),
            "read test.yaml: line 2, column 8: `2024-01-02`: it is read as a date; put it in quotes"
        );
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            use std::fmt::Write as _;
            let item = format!("*a{}", level - 1);
            writeln!(text, "a{level}: &a{level} [{}]", vec![item; 10].join(", ")).unwrap();
        }
        assert!(refused(&text).contains("more than 1000000 nodes"));
    }
}
