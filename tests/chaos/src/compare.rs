//! The verdict: every attempt against what B has.

use std::collections::HashMap;
use std::fmt;

use crate::ledger::{Answer, Attempt};

/// A row of B's messages, already held against the body that its number should have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) source: String,
    pub(crate) id: String,
    /// The number that its body names.
    pub(crate) number: Option<u64>,
    /// Whether its body is, byte for byte, the one of that number.
    pub(crate) same: bool,
}

/// The source that A's events name.
pub(crate) const SOURCE: &str = "/service-a";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Acknowledged, and not there.
    Lost,
    /// There more than once.
    Doubled,
    /// There with another content, or under another id than the one that was told.
    Wrong,
    /// There, and nobody sent it.
    Foreign,
    /// Answers to one key that name several ids.
    Key,
    /// An answer that must not be given.
    Answer,
    /// What a database or a service says of itself at the end.
    State,
}

#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) told: String,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) attempts: usize,
    pub(crate) acknowledged: usize,
    /// Never acknowledged.
    pub(crate) unknown: usize,
    /// Of those, the ones that B has.
    pub(crate) unknown_there: usize,
    pub(crate) problems: Vec<Problem>,
}

impl Verdict {
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.problems.iter().filter(|problem| problem.kind == kind).count()
    }

    pub(crate) fn add(&mut self, kind: Kind, told: String) {
        self.problems.push(Problem { kind, told });
    }
}

/// Compares what was sent with what B has; each message's number is unique among `attempts`.
pub(crate) fn compare(attempts: &[Attempt], rows: &[Row]) -> Verdict {
    let mut verdict = Verdict { attempts: attempts.len(), ..Verdict::default() };
    let mut there: HashMap<u64, Vec<&Row>> = HashMap::new();
    let known: HashMap<u64, &Attempt> = attempts.iter().map(|attempt| (attempt.number, attempt)).collect();
    for row in rows {
        match row.number.filter(|number| known.contains_key(number)) {
            Some(number) => there.entry(number).or_default().push(row),
            None => verdict.add(Kind::Foreign, format!("{row} was sent by nobody")),
        }
    }
    for attempt in attempts {
        let rows = there.get(&attempt.number).map_or(&[][..], Vec::as_slice);
        judge(attempt, rows, &mut verdict);
    }
    verdict
}

fn judge(attempt: &Attempt, rows: &[&Row], verdict: &mut Verdict) {
    let ids: Vec<_> = attempt.ids().collect();
    if ids.is_empty() {
        verdict.unknown += 1;
        verdict.unknown_there += usize::from(!rows.is_empty());
    } else {
        verdict.acknowledged += 1;
        if rows.is_empty() {
            verdict.add(Kind::Lost, format!("{attempt}"));
        }
    }
    if rows.len() > 1 {
        let told: Vec<_> = rows.iter().map(|row| format!("\n      {row}")).collect();
        verdict.add(Kind::Doubled, format!("{attempt}{}", told.concat()));
    }
    if ids.iter().any(|id| *id != ids[0]) {
        verdict.add(Kind::Key, format!("{attempt}"));
    }
    for row in rows {
        if !row.same || row.source != SOURCE || ids.iter().any(|id| *id != row.id) {
            verdict.add(Kind::Wrong, format!("{attempt}\n      {row}"));
        }
    }
    for one in &attempt.tries {
        if matches!(one.answer, Answer::Wrong { .. }) {
            verdict.add(Kind::Answer, format!("{attempt}"));
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, id, number, same } = self;
        let number = number.map_or("no number".to_owned(), |number| format!("number {number}"));
        let content = if *same { "the same content" } else { "ANOTHER CONTENT" };
        write!(f, "row {source} {id}: {number}, {content}")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Wrong => "wrong content or id",
            Self::Foreign => "sent by nobody",
            Self::Key => "one key, several ids",
            Self::Answer => "wrong answer",
            Self::State => "wrong state",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::{Manner, Try};

    fn attempt(number: u64, answers: &[Answer]) -> Attempt {
        let manner = Manner { respond_async: false, keyed: answers.len() > 1 };
        let tries = answers.iter().map(|answer| Try { at: Duration::ZERO, asked: 0, answer: answer.clone() });
        Attempt { number, manner, tries: tries.collect() }
    }

    fn acknowledged(id: &str) -> Answer {
        Answer::Acknowledged { status: 202, id: id.to_owned() }
    }

    fn lost() -> Answer {
        Answer::Lost { reason: "reset".to_owned() }
    }

    fn row(number: u64, id: &str) -> Row {
        Row { source: SOURCE.to_owned(), id: id.to_owned(), number: Some(number), same: true }
    }

    fn kinds(attempts: &[Attempt], rows: &[Row]) -> Vec<Kind> {
        compare(attempts, rows).problems.iter().map(|problem| problem.kind).collect()
    }

    #[test]
    fn what_arrived_once_and_what_was_never_acknowledged_is_well() {
        let attempts = [
            attempt(1, &[acknowledged("a")]),
            attempt(2, &[lost(), acknowledged("b"), acknowledged("b")]),
            attempt(3, &[lost()]),
            attempt(4, &[lost()]),
            attempt(5, &[Answer::Refused { status: 503, detail: String::new() }]),
        ];

        let verdict = compare(&attempts, &[row(1, "a"), row(2, "b"), row(4, "d")]);

        assert!(verdict.problems.is_empty(), "{verdict:?}");
        let Verdict { attempts, acknowledged, unknown, unknown_there, .. } = verdict;
        assert_eq!((attempts, acknowledged, unknown, unknown_there), (5, 2, 3, 1));
    }

    #[test]
    fn a_lost_row_is_found() {
        assert_eq!(kinds(&[attempt(1, &[acknowledged("a")])], &[]), [Kind::Lost]);
    }

    #[test]
    fn a_doubled_row_is_found_under_one_id_and_under_two_acknowledged_or_not() {
        assert_eq!(kinds(&[attempt(1, &[acknowledged("a")])], &[row(1, "a"), row(1, "a")]), [Kind::Doubled]);
        assert_eq!(kinds(&[attempt(1, &[lost()])], &[row(1, "a"), row(1, "b")]), [Kind::Doubled]);
    }

    #[test]
    fn another_content_another_source_and_another_id_are_found() {
        let attempts = [attempt(1, &[acknowledged("a")])];
        for wrong in
            [Row { same: false, ..row(1, "a") }, Row { source: "/somebody".to_owned(), ..row(1, "a") }, row(1, "b")]
        {
            assert_eq!(kinds(&attempts, &[wrong]), [Kind::Wrong]);
        }
    }

    #[test]
    fn a_row_that_nobody_sent_is_found() {
        let foreign = [row(2, "b"), Row { number: None, same: false, ..row(0, "c") }];
        assert_eq!(kinds(&[attempt(1, &[lost()])], &foreign), [Kind::Foreign, Kind::Foreign]);
    }

    #[test]
    fn answers_to_one_key_that_name_two_ids_and_answers_that_must_not_be_are_found() {
        let two = attempt(1, &[acknowledged("a"), acknowledged("b")]);
        assert!(kinds(&[two], &[row(1, "a")]).contains(&Kind::Key));
        let wrong = attempt(1, &[Answer::Wrong { status: 500, detail: String::new() }]);
        assert_eq!(kinds(&[wrong], &[]), [Kind::Answer]);
    }

    #[test]
    fn a_problem_tells_the_history() {
        let verdict = compare(&[attempt(7, &[lost(), acknowledged("a")])], &[]);
        let told = &verdict.problems[0].told;
        assert!(["attempt 7", "no answer: reset", "202  a"].iter().all(|part| told.contains(part)), "{told}");
    }
}
