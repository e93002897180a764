//! A service's command.

use serde_json::Value;

use super::Reader;
use crate::document::Cursor;
use crate::problem::Place;
use crate::run::{Run, words};

impl Reader<'_> {
    pub(super) fn run(&mut self, cursor: &Cursor<'_>) -> Option<Run> {
        let allowed = "a command line, or a list of its words";
        let mut argv = match cursor.value {
            Value::String(text) => self.command_line(cursor, text)?,
            Value::Array(_) => self.command_words(cursor)?,
            _ => {
                self.wrong_type(cursor, allowed);
                return None;
            }
        };
        if argv.first().is_none_or(String::is_empty) {
            self.wrong(cursor, format!("it names no program; allowed: {allowed}"));
            return None;
        }
        if argv.iter().any(|word| word.contains('\0')) {
            self.wrong(cursor, "a NUL character can't be part of a command");
            return None;
        }
        if argv[0].contains('/') {
            argv[0] = self.path(&argv[0]).display().to_string();
        }
        Some(Run { argv })
    }

    fn command_line(&mut self, cursor: &Cursor<'_>, text: &str) -> Option<Vec<String>> {
        words(text)
            .map_err(|error| {
                let at = self.place_in(cursor, text, error.offset);
                self.problem(at, format!("{}: {}", cursor.path, error.message));
            })
            .ok()
    }

    /// A word that YAML reads as a number or a boolean is taken as it was written.
    fn command_words(&mut self, cursor: &Cursor<'_>) -> Option<Vec<String>> {
        let words: Vec<Option<String>> = cursor
            .items()
            .map(|item| {
                let word = item.text();
                if word.is_none() {
                    self.wrong_type(&item, "a word of the command");
                }
                word
            })
            .collect();
        words.into_iter().collect()
    }

    /// Where in the file a byte of a string is: known when the string stands there as it is, on one line, with quotes or without.
    fn place_in(&self, cursor: &Cursor<'_>, text: &str, offset: usize) -> Place {
        let at = cursor.at();
        let before = &text[..offset];
        let line = self.text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
        let written: String = line.chars().skip(at.column.saturating_sub(1)).collect();
        let quote = usize::from(written.starts_with(['"', '\'']));
        if written[quote..].starts_with(before) {
            return Place { column: at.column + quote + before.chars().count(), ..at };
        }
        at
    }
}
