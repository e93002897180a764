//! How a service is started: the words of a command line, and the program that the first one names.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A command: a program and its arguments. No shell runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// At least one word. The first is the program: a name to be looked for, or an absolute path.
    pub argv: Vec<String>,
}

/// Why a command's program can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("there is no program `{name}`; looked in {}", places(.looked))]
    NotFound {
        name: String,
        /// The folders, in the order of looking.
        looked: Vec<PathBuf>,
    },
    #[error("there is no program {}", .path.display())]
    Missing { path: PathBuf },
    #[error("{path} can't be run: it has no execute permission; chmod +x {path}", path = .path.display())]
    NotExecutable { path: PathBuf },
    #[error("{} can't be run: it is no file", .path.display())]
    NotAFile { path: PathBuf },
    #[error("{} can't be run: {why}", .path.display())]
    Unreadable { path: PathBuf, why: String },
}

fn places(looked: &[PathBuf]) -> String {
    let looked: Vec<String> = looked.iter().map(|folder| folder.display().to_string()).collect();
    looked.join(", ")
}

impl Run {
    /// The absolute path of the program.
    ///
    /// A name without `/` is looked for in the folder `beside`, which is that of msctl's own binary, and then in those of `path`, which
    /// is the variable `PATH`. Only absolute folders of `PATH` count: what `.` is depends on who asks.
    pub fn resolve(&self, beside: &Path, path: Option<&OsStr>) -> Result<PathBuf, ResolveError> {
        let name = self.argv.first().map_or("", String::as_str);
        if name.contains('/') {
            let program = PathBuf::from(name);
            return match check(&program)? {
                Found::Program => Ok(program),
                Found::Nothing => Err(ResolveError::Missing { path: program }),
            };
        }
        let path: OsString = path.map(OsStr::to_owned).unwrap_or_default();
        let on_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        let mut looked: Vec<PathBuf> = Vec::new();
        let mut unusable = None;
        for folder in std::iter::once(beside.to_owned()).chain(on_path) {
            if looked.contains(&folder) {
                continue;
            }
            match check(&folder.join(name)) {
                Ok(Found::Program) => return Ok(folder.join(name)),
                Ok(Found::Nothing) => {}
                // As a shell does: another folder may have one that can be run.
                Err(error) => unusable = unusable.or(Some(error)),
            }
            looked.push(folder);
        }
        Err(unusable.unwrap_or_else(|| ResolveError::NotFound { name: name.to_owned(), looked }))
    }
}

enum Found {
    Program,
    Nothing,
}

fn check(program: &Path) -> Result<Found, ResolveError> {
    let path = || program.to_owned();
    match std::fs::metadata(program) {
        Ok(metadata) if !metadata.is_file() => Err(ResolveError::NotAFile { path: path() }),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Err(ResolveError::NotExecutable { path: path() }),
        Ok(_) => Ok(Found::Program),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Found::Nothing)
        }
        Err(error) => Err(ResolveError::Unreadable { path: path(), why: error.to_string() }),
    }
}

/// Why a text is no command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WordsError {
    /// Bytes of the text before what is wrong.
    pub(crate) offset: usize,
    pub(crate) message: String,
}

/// The words of a command line, split as a POSIX shell splits them: quotes and backslashes, and nothing is expanded.
pub(crate) fn words(text: &str) -> Result<Vec<String>, WordsError> {
    let Some(words) = shlex::split(text) else {
        // Whatever is longer than this ends within the quotation.
        let offset =
            (0..text.len()).rev().find(|&end| text.is_char_boundary(end) && shlex::split(&text[..end]).is_some());
        let offset = offset.unwrap_or_default();
        let message = match text[offset..].chars().next() {
            Some('\\') => "a backslash at the end escapes nothing".to_owned(),
            Some(quote) => format!("the quotation `{}` has no closing {quote}", start(&text[offset..])),
            None => "an unbalanced quotation".to_owned(),
        };
        return Err(WordsError { offset, message });
    };
    match shells(text, &words) {
        Some(error) => Err(error),
        None => Ok(words),
    }
}

/// The first line of a text, cut where it gets long.
fn start(text: &str) -> String {
    const MOST: usize = 30;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The first bare word that only a shell would understand.
///
/// As an argument it would be passed on as it is, which nobody who writes `$PORT` or `&&` means.
fn shells(text: &str, words: &[String]) -> Option<WordsError> {
    let bare = |word: &&str| words.iter().any(|known| known == word);
    let word = text.split_whitespace().filter(bare).find(|word| is_operator(word) || has_variable(word))?;
    let offset = word.as_ptr().addr() - text.as_ptr().addr();
    let message = format!(
        "no shell runs it, so `{word}` would be passed on as it is; write sh -c '…' for a shell, or quotes around it"
    );
    Some(WordsError { offset, message })
}

fn is_operator(word: &str) -> bool {
    matches!(word, "&&" | "||" | "|" | "&" | ";" | ">" | ">>" | "<" | "2>" | "2>&1" | "&>")
}

fn has_variable(word: &str) -> bool {
    let named = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '('));
    word.split('$').skip(1).any(named)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
