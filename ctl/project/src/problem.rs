//! What is wrong with a project's files, each problem with its place.

use std::fmt;
use std::path::{Path, PathBuf};

use manifests::values::YamlError;

/// A place in a text. Lines and columns count from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The file as a whole.
    pub(crate) const NONE: Self = Self { line: 0, column: 0 };
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: PathBuf,
    /// Counts from 1; 0 when the problem is the file as a whole.
    pub line: usize,
    /// Counts characters from 1; 0 when the problem is the file as a whole.
    pub column: usize,
    /// The key, what is wrong with it, and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.line {
            0 => write!(f, "{file}: {}", self.message),
            line => write!(f, "{file}:{line}:{}: {}", self.column, self.message),
        }
    }
}

/// Why a project can't be used: everything that was found, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use {}:{}", .file.display(), lines(.problems))]
pub struct Error {
    /// The msctl.yaml; problems may be in a values file that it names.
    pub file: PathBuf,
    /// At least one.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().flat_map(|problem| ["\n  ".to_owned(), problem.to_string()]).collect()
}

impl Problem {
    pub(crate) fn new(file: &Path, at: Place, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: at.line, column: at.column, message: message.into() }
    }

    pub(crate) fn yaml(file: &Path, error: YamlError) -> Self {
        match error {
            YamlError::Syntax { line, column, problem, .. } => Self::new(file, Place { line, column }, problem),
            YamlError::Scalar { line, column, text, problem, .. } => {
                Self::new(file, Place { line, column }, format!("`{text}`: {problem}"))
            }
            YamlError::NotAMap { found, .. } => {
                Self::new(file, Place { line: 1, column: 1 }, format!("the document is {found}; allowed: a map"))
            }
        }
    }
}
