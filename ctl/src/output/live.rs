//! Lines that say what is waited for: rewritten on a terminal, printed once each elsewhere.

/// The lines on show.
#[derive(Debug)]
pub(super) struct Live {
    terminal: bool,
    lines: Vec<String>,
}

impl Live {
    pub(super) fn new(terminal: bool) -> Self {
        Self { terminal, lines: Vec::new() }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// What to write so that `lines` are on show.
    pub(super) fn update(&mut self, lines: Vec<String>) -> String {
        if self.terminal {
            let clear = self.clear();
            self.lines = lines;
            return format!("{clear}{}", self.redraw());
        }
        let mut text = String::new();
        for line in lines.iter().filter(|line| !self.lines.contains(line)) {
            text.push_str(line);
            text.push('\n');
        }
        self.lines = lines;
        text
    }

    /// Takes the lines off the screen: up by their number, then erase to its end.
    pub(super) fn clear(&self) -> String {
        if !self.terminal || self.lines.is_empty() {
            return String::new();
        }
        format!("\u{1b}[{}A\u{1b}[J", self.lines.len())
    }

    /// Puts them back, under what was printed since.
    pub(super) fn redraw(&self) -> String {
        if !self.terminal {
            return String::new();
        }
        let width = width();
        let mut text = String::new();
        for line in &self.lines {
            // A wrapped line would take two rows, and `clear` counts one.
            text.extend(line.chars().take(width));
            text.push('\n');
        }
        text
    }
}

/// Columns of the terminal.
fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| usize::from(width.0))
}
