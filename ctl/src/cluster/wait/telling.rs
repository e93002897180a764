//! Saying what is waited for: on a terminal always the state of now; elsewhere a line now and then, trouble at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::diagnose::{Cause, Kind};
use crate::output::Printer;

const FRAME: Duration = Duration::from_millis(120);
const FRAMES: &[char] = &['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// A rollout that takes no longer needs no line in a log.
const FIRST_LINE: Duration = Duration::from_secs(1);
const NEXT_LINE: Duration = Duration::from_secs(3);

/// What was said, and when.
#[derive(Debug)]
pub(super) struct Teller {
    started: Instant,
    next: Instant,
    lines: Vec<String>,
    troubles: Vec<(String, Kind)>,
}

impl Teller {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, next: started + FIRST_LINE, lines: Vec::new(), troubles: Vec::new() }
    }

    /// Says what there is to say; returns when to come again if nothing happens until then.
    pub(super) fn tell(
        &mut self,
        printer: &Printer,
        lines: Vec<String>,
        causes: &[Cause],
        now: Instant,
    ) -> Option<Instant> {
        if printer.is_live() {
            let elapsed = now - self.started;
            let turn = usize::try_from(elapsed.as_millis() / FRAME.as_millis()).unwrap_or_default();
            let frame = FRAMES[turn % FRAMES.len()];
            let seconds = elapsed.as_secs();
            printer.live(lines.iter().map(|line| format!("{frame} {seconds:>3}s {line}")).collect());
            return Some(now + FRAME);
        }
        if lines == self.lines {
            return None;
        }
        let troubles: Vec<(String, Kind)> = causes.iter().map(|cause| (cause.subject.clone(), cause.kind)).collect();
        let news = troubles.iter().any(|trouble| !self.troubles.contains(trouble));
        if now < self.next && !news {
            return Some(self.next);
        }
        printer.live(lines.clone());
        self.lines = lines;
        self.troubles = troubles;
        self.next = now + NEXT_LINE;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::diagnose::Patience;
    use crate::output::tests::captured;

    fn lines(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[tokio::test]
    async fn a_log_gets_a_line_now_and_then() {
        let (printer, _, err) = captured();
        let start = Instant::now();
        let mut teller = Teller::new(start);
        assert_eq!(teller.tell(&printer, lines("one"), &[], start), Some(start + FIRST_LINE));
        teller.tell(&printer, lines("two"), &[], start + FIRST_LINE);
        teller.tell(&printer, lines("three"), &[], start + FIRST_LINE);
        teller.tell(&printer, lines("four"), &[], start + FIRST_LINE + NEXT_LINE);
        assert_eq!(err.text(), "two\nfour\n");
    }

    #[tokio::test]
    async fn new_trouble_is_said_at_once_and_only_once() {
        let (printer, _, err) = captured();
        let start = Instant::now();
        let mut teller = Teller::new(start);
        let cause = Cause {
            subject: "p".into(),
            kind: Kind::Probe,
            text: String::new(),
            patience: Patience::Unlimited,
            log: None,
        };
        teller.tell(&printer, lines("p: not ready"), std::slice::from_ref(&cause), start);
        teller.tell(&printer, lines("p: not ready, again"), &[cause], start);
        assert_eq!(err.text(), "p: not ready\n");
    }
}
