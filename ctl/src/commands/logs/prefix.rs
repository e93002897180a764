//! Whose line it is: the pod's name, on a terminal in a colour of its own.

use std::collections::HashMap;

use super::LogLine;
use crate::output::{Paint, Printer};

const COLOURS: [Paint; 5] = [Paint::Cyan, Paint::Green, Paint::Yellow, Paint::Magenta, Paint::Blue];

/// Colours in the order in which pods were first heard of.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    given: HashMap<String, Paint>,
}

impl Prefixes {
    pub(super) fn of(&mut self, line: &LogLine, printer: &Printer) -> String {
        let next = COLOURS[self.given.len() % COLOURS.len()];
        // A rollout that never ends is no leak.
        if self.given.len() > 10_000 {
            self.given.clear();
        }
        let paint = *self.given.entry(line.pod.clone()).or_insert(next);
        let name = match &line.container {
            Some(container) => format!("{}/{container}", line.pod),
            None => line.pod.clone(),
        };
        printer.paint_out(paint, &name)
    }
}
