//! The lines that join the rows of a tree.

use super::layout::Glyphs;
use super::tree::Tree;

/// Levels that are drawn: a chain of thousands of spans would else make lines of as many cells.
const DEEPEST: usize = 48;

/// The tree's lines left of each row's title, and left of what is said below it.
pub(super) fn branches(tree: &Tree, glyphs: &Glyphs) -> Vec<(String, String)> {
    // Whether a row has a sibling below it, found from the bottom up.
    let mut follows = vec![false; tree.rows.len()];
    let mut open: Vec<bool> = Vec::new();
    for (at, row) in tree.rows.iter().enumerate().rev() {
        if open.len() <= row.depth {
            open.resize(row.depth + 1, false);
        }
        follows[at] = open[row.depth];
        open.truncate(row.depth);
        open.push(true);
    }
    let mut passes: Vec<&str> = Vec::new();
    let mut lines = Vec::with_capacity(tree.rows.len());
    for (at, row) in tree.rows.iter().enumerate() {
        passes.truncate(row.depth.saturating_sub(1));
        let left = shallow(&passes, glyphs);
        let mut below = left.clone();
        let mut own = left;
        if row.depth > 0 {
            let (turn, pass) = if follows[at] { (glyphs.branch, glyphs.pass) } else { (glyphs.last, glyphs.gap) };
            own.push_str(turn);
            below.push_str(pass);
            passes.push(pass);
        }
        let has_children = tree.rows.get(at + 1).is_some_and(|next| next.depth > row.depth);
        below.push_str(if has_children { glyphs.pass } else { glyphs.gap });
        lines.push((own, below));
    }
    lines
}

/// The lines of the levels above, of the innermost ones where there are very many.
fn shallow(passes: &[&str], glyphs: &Glyphs) -> String {
    match passes.len().checked_sub(DEEPEST) {
        Some(hidden) if hidden > 0 => format!("{}{}", glyphs.cut, passes[hidden..].concat()),
        _ => passes.concat(),
    }
}
