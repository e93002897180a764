//! How wide each column of the waterfall is.

use super::text;

/// What the place that is printed to can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Cells a line may take; `None` (no terminal) cuts nothing, so that a file or a pipe gets
    /// every name in full.
    pub(crate) width: Option<usize>,
    pub(crate) letters: Letters,
    pub(crate) colour: bool,
}

impl Screen {
    /// This process's stdout.
    pub(crate) fn of_stdout(colour: bool) -> Self {
        let width = terminal_size::terminal_size_of(std::io::stdout());
        Self {
            width: width.map(|(terminal_size::Width(cells), _)| usize::from(cells).max(NARROWEST)),
            letters: Letters::from_env(|name| std::env::var(name).ok()),
            colour,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letters {
    Unicode,
    Ascii,
}

impl Letters {
    /// What the environment's terminal and locale can show: POSIX's precedence, `LC_ALL` over
    /// `LC_CTYPE` over `LANG`. A locale that is not set at all is no reason to expect less.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
        if set("TERM").is_some_and(|term| term == "dumb") {
            return Self::Ascii;
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name));
        match locale.as_deref() {
            Some("C" | "POSIX") => Self::Ascii,
            _ => Self::Unicode,
        }
    }

    pub(super) fn glyphs(self) -> &'static Glyphs {
        match self {
            Self::Unicode => &UNICODE,
            Self::Ascii => &ASCII,
        }
    }
}

/// The signs of one set of letters.
#[derive(Debug)]
pub(super) struct Glyphs {
    pub(super) branch: &'static str,
    pub(super) last: &'static str,
    pub(super) pass: &'static str,
    pub(super) gap: &'static str,
    pub(super) bar: &'static str,
    /// A bar that is too short for a cell.
    pub(super) instant: &'static str,
    pub(super) cut: &'static str,
    pub(super) dot: &'static str,
    pub(super) failed: &'static str,
    pub(super) micro: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    branch: "├─ ",
    last: "└─ ",
    pass: "│  ",
    gap: "   ",
    bar: "█",
    instant: "▏",
    cut: "…",
    dot: " · ",
    failed: "✗",
    micro: "µ",
};

const ASCII: Glyphs = Glyphs {
    branch: "|- ",
    last: "`- ",
    pass: "|  ",
    gap: "   ",
    bar: "=",
    instant: "|",
    cut: "...",
    dot: ", ",
    failed: "!",
    micro: "u",
};

/// Cells per column; 0 leaves the column out. Columns are two cells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) tree: usize,
    pub(super) time: usize,
    pub(super) bar: usize,
    pub(super) status: usize,
    pub(super) pod: usize,
    pub(super) version: usize,
}

/// Columns stand this far apart.
pub(super) const SPACE: usize = 2;
/// A terminal that says it is narrower (some say 0) is not believed.
const NARROWEST: usize = 20;
const BAR_WITHOUT_TERMINAL: usize = 24;
const BAR_MOST: usize = 40;
const BAR_LEAST: usize = 8;
const TREE_LEAST: usize = 24;
/// A pod's random suffix and a bit of its replica set's hash.
const POD_LEAST: usize = 12;

impl Columns {
    /// Fits the columns' natural widths into the screen. What a person misses least goes first:
    /// the bar's length, the beginning of pod names, the version, the pod, the end of span names,
    /// and at last the bar itself.
    pub(super) fn fit(natural: Self, width: Option<usize>) -> Self {
        let Some(width) = width else { return Self { bar: BAR_WITHOUT_TERMINAL, ..natural } };
        let mut fitted = Self { bar: BAR_LEAST, ..natural };
        let over = fitted.total().saturating_sub(width);
        fitted.pod -= over.min(fitted.pod.saturating_sub(POD_LEAST));
        if fitted.total() > width {
            fitted.version = 0;
        }
        let over = fitted.total().saturating_sub(width);
        fitted.tree -= over.min(fitted.tree.saturating_sub(TREE_LEAST));
        if fitted.total() > width {
            fitted.pod = 0;
        }
        if fitted.total() > width {
            fitted.bar = 0;
        }
        let over = fitted.total().saturating_sub(width);
        fitted.tree -= over.min(fitted.tree.saturating_sub(1));
        fitted.grow(&natural, width);
        fitted
    }

    /// Gives what is left over back: to names that were cut, then to the bar.
    fn grow(&mut self, natural: &Self, width: usize) {
        let spare = |columns: &Self| width.saturating_sub(columns.total());
        self.tree += spare(self).min(natural.tree.saturating_sub(self.tree));
        if self.pod > 0 {
            self.pod += spare(self).min(natural.pod - self.pod);
        }
        if self.bar > 0 {
            self.bar += spare(self).min(BAR_MOST - self.bar);
        }
    }

    fn total(&self) -> usize {
        let columns = [self.tree, self.time, self.bar, self.status, self.pod, self.version];
        let shown = columns.iter().filter(|&&cells| cells > 0).count();
        columns.iter().sum::<usize>() + SPACE * shown.saturating_sub(1)
    }
}

/// The widest of the texts, and of the column's head where there is any text.
pub(super) fn widest<'a>(head: &str, texts: impl Iterator<Item = &'a str>) -> usize {
    let widest = texts.map(text::width).max().unwrap_or(0);
    if widest == 0 { 0 } else { widest.max(text::width(head)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATURAL: Columns = Columns { tree: 32, time: 7, bar: 0, status: 6, pod: 27, version: 7 };

    #[test]
    fn columns_never_take_more_than_the_screen_has() {
        for width in 20..200 {
            let fitted = Columns::fit(NATURAL, Some(width));
            assert!(fitted.total() <= width, "{width}: {fitted:?}");
        }
    }

    #[test]
    fn eighty_cells_keep_the_bar_and_the_end_of_the_pod() {
        let fitted = Columns::fit(NATURAL, Some(80));
        assert!(fitted.bar >= BAR_LEAST && fitted.pod >= POD_LEAST, "{fitted:?}");
        assert_eq!(fitted.tree, NATURAL.tree);
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        assert_eq!(Columns::fit(NATURAL, None), Columns { bar: BAR_WITHOUT_TERMINAL, ..NATURAL });
    }

    #[test]
    fn the_locale_and_the_terminal_choose_the_letters() {
        let letters = |pairs: &[(&str, &str)]| {
            Letters::from_env(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(letters(&[]), Letters::Unicode);
        assert_eq!(letters(&[("LANG", "de_DE.UTF-8")]), Letters::Unicode);
        assert_eq!(letters(&[("LANG", "C")]), Letters::Ascii);
        assert_eq!(letters(&[("LANG", "C"), ("LC_ALL", "C.UTF-8")]), Letters::Unicode);
        assert_eq!(letters(&[("LANG", "de_DE.UTF-8"), ("TERM", "dumb")]), Letters::Ascii);
        assert_eq!(letters(&[("LANG", "C"), ("LC_ALL", "")]), Letters::Ascii);
    }
}
