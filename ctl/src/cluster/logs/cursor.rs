//! How far a log was read, so that after a break it goes on without a line twice or a line less.
//!
//! The API server takes the time to go on from in whole seconds, so some lines come again. Of each of the newest ones it
//! is known how often it came; times alone would not do, because many lines may share one, and stdout and stderr are not
//! quite in order.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::{SignedDuration, Timestamp};

/// Before the newest line: lines may be out of order by less.
const WINDOW: SignedDuration = SignedDuration::from_secs(1);

/// A line's time, and a hash of its text.
type Key = (Timestamp, u64);

#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The time of the first line: what is older was not wanted, and comes all the same after a break.
    begin: Option<Timestamp>,
    resumed: bool,
    /// Whole seconds; none before the first line.
    from: Option<Timestamp>,
    /// Lines that were passed on since `from`, and how often.
    passed: HashMap<Key, u32>,
    /// Of those, what comes again after a break.
    again: HashMap<Key, u32>,
}

impl Cursor {
    /// Where to go on after a break; none when there was no line yet.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        self.again.clone_from(&self.passed);
        self.resumed = self.from.is_some();
        self.from
    }

    /// No line is known yet.
    pub(super) fn is_new(&self) -> bool {
        self.from.is_none()
    }

    /// The first line is of this time, unless there was one before.
    pub(super) fn begin(&mut self, time: Timestamp) {
        if self.begin.is_none() {
            self.begin = Some(time);
            self.advance(time);
        }
    }

    /// Whether a line is new.
    pub(super) fn takes(&mut self, time: Timestamp, line: &str) -> bool {
        if self.resumed && self.begin.is_some_and(|begin| time < begin) {
            return false;
        }
        self.begin.get_or_insert(time);
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let key = (time, hasher.finish());
        if let Some(count) = self.again.get_mut(&key)
            && *count > 0
        {
            *count -= 1;
            return false;
        }
        self.advance(time);
        if self.from.is_some_and(|from| time >= from) {
            *self.passed.entry(key).or_default() += 1;
        }
        true
    }

    fn advance(&mut self, time: Timestamp) {
        let second = Timestamp::from_second(time.as_second()).unwrap_or(time);
        let from = second.checked_sub(WINDOW).unwrap_or(second);
        if self.from.is_none_or(|known| from > known) {
            self.from = Some(from);
            self.passed.retain(|(time, _), _| *time >= from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T00:00:{text}Z").parse().unwrap()
    }

    /// Which of these lines are new.
    fn new<'a>(cursor: &mut Cursor, lines: &[(&str, &'a str)]) -> Vec<&'a str> {
        lines.iter().filter(|(time, line)| cursor.takes(at(time), line)).map(|(_, line)| *line).collect()
    }

    #[test]
    fn after_a_break_only_new_lines_are_taken_also_of_the_same_instant() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.resume(), None);
        let before = [("09.1", "a"), ("10.2", "b"), ("10.2", "c"), ("10.2", "c")];
        assert_eq!(new(&mut cursor, &before).len(), 4);
        assert_eq!(cursor.resume(), Some(at("09")));
        let after = [before.as_slice(), &[("10.2", "c"), ("10.3", "d")]].concat();
        assert_eq!(new(&mut cursor, &after), ["c", "d"]);
    }

    #[test]
    fn lines_before_the_first_that_was_wanted_stay_unwanted() {
        let mut cursor = Cursor::default();
        new(&mut cursor, &[("10.3", "the last one")]);
        cursor.resume();
        assert_eq!(new(&mut cursor, &[("10.2", "one before"), ("10.3", "the last one"), ("10.4", "next")]), ["next"]);
    }

    #[test]
    fn a_line_that_is_late_by_less_than_a_second_is_not_lost() {
        let mut cursor = Cursor::default();
        new(&mut cursor, &[("10.9", "out")]);
        new(&mut cursor, &[("11.1", "out again")]);
        assert!(cursor.resume().unwrap() <= at("10.95"));
        assert_eq!(new(&mut cursor, &[("10.9", "out"), ("11.1", "out again"), ("10.95", "err")]), ["err"]);
    }

    #[test]
    fn a_log_that_was_rotated_in_between_loses_nothing_to_the_count() {
        let mut cursor = Cursor::default();
        new(&mut cursor, &[("10.1", "a"), ("10.2", "b")]);
        cursor.resume();
        assert_eq!(new(&mut cursor, &[("10.3", "c")]), ["c"]);
    }

    #[test]
    fn what_is_remembered_is_a_few_seconds_at_most() {
        let mut cursor = Cursor::default();
        for second in 10..50 {
            new(&mut cursor, &[(&format!("{second}.5"), "x")]);
        }
        assert_eq!(cursor.passed.len(), 2);
    }
}
