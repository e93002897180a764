//! Strings in packed bytes: those that come again by number, the others as they are.

use std::hash::{BuildHasher as _, RandomState};

use super::table::Table;
use crate::cursor::{Cursor, put_number, put_varint};

/// The strings that came more than once.
#[derive(Debug)]
pub(super) struct Texts {
    table: Table<str>,
    /// Hashes of strings that came lately: a path or a statement is met again soon, a message's id only in its own
    /// trace, where a number would cost more than it saves.
    recent: Box<[u32]>,
    hasher: RandomState,
}

/// A string in packed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Number(u32),
    Inline(&'a str),
}

/// A power of two; at four bytes each, 16 KiB.
const RECENT: usize = 4096;
/// Shorter strings are no longer than their number.
const SHORT: usize = 3;

impl Default for Texts {
    fn default() -> Self {
        Self { table: Table::default(), recent: vec![0; RECENT].into(), hasher: RandomState::new() }
    }
}

impl Texts {
    /// Appends a string, by number if it came before.
    pub(super) fn pack(&mut self, out: &mut Vec<u8>, text: &str) {
        if text.len() > SHORT {
            if let Some(number) = self.table.find(text) {
                return put_varint(out, u64::from(number) << 1 | 1);
            }
            if self.came_before(text) {
                return self.pack_by_number(out, text);
            }
        }
        put_number(out, text.len() << 1);
        out.extend_from_slice(text.as_bytes());
    }

    /// Appends a string that will come again.
    pub(super) fn pack_by_number(&mut self, out: &mut Vec<u8>, text: &str) {
        put_varint(out, u64::from(self.table.put(text)) << 1 | 1);
    }

    fn came_before(&mut self, text: &str) -> bool {
        let [a, b, c, d, place @ ..] = self.hasher.hash_one(text).to_le_bytes();
        // 0 is an empty place.
        let mark = u32::from_le_bytes([a, b, c, d]) | 1;
        let place = u32::from_le_bytes(place) as usize % RECENT;
        std::mem::replace(&mut self.recent[place], mark) == mark
    }

    /// The number of a string, with one more use.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        self.table.put(text)
    }

    /// The number of a string that has one already.
    pub(super) fn known(&self, text: &str) -> Option<u32> {
        self.table.known(text)
    }

    /// One more use of a number that is in use.
    pub(super) fn retain(&mut self, number: u32) {
        self.table.retain(number);
    }

    pub(super) fn release(&mut self, text: Text<'_>) {
        if let Text::Number(number) = text {
            self.table.release(number);
        }
    }

    pub(super) fn get<'a>(&'a self, text: Text<'a>) -> &'a str {
        match text {
            Text::Number(number) => self.table.get(number).unwrap_or_default(),
            Text::Inline(text) => text,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.table.bytes() + size_of_val(&*self.recent)
    }
}

impl<'a> Text<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let head = cursor.varint()?;
        if head & 1 == 1 {
            return u32::try_from(head >> 1).ok().map(Self::Number);
        }
        let bytes = cursor.take(usize::try_from(head >> 1).ok()?)?;
        str::from_utf8(bytes).ok().map(Self::Inline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(texts: &mut Texts, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        texts.pack(&mut out, text);
        out
    }

    #[test]
    fn a_string_gets_a_number_when_it_comes_again() {
        let mut texts = Texts::default();
        let first = pack(&mut texts, "GET /service-b");
        assert_eq!(Text::read(&mut Cursor::new(&first)), Some(Text::Inline("GET /service-b")));
        let second = pack(&mut texts, "GET /service-b");
        let text = Text::read(&mut Cursor::new(&second)).unwrap();
        assert!(matches!(text, Text::Number(_)) && second.len() < first.len());
        assert_eq!(texts.get(text), "GET /service-b");
        texts.release(text);
        assert_eq!(texts.len(), 0);
    }

    #[test]
    fn strings_that_never_come_again_are_not_kept_twice() {
        let mut texts = Texts::default();
        for id in 0..10_000 {
            pack(&mut texts, &format!("message {id:08}"));
        }
        assert_eq!(texts.len(), 0);
    }
}
