//! Versions of a schema: expand first, contract a release later.
//!
//! A release adds what the next one needs and keeps what the last one uses, so that both run side by side during a
//! rollout. The database stores its version and the oldest program that may still use it; a program refuses only below
//! that.

use crate::Error;

/// A service's schema: steps in the order of their versions, from 1 without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    pub steps: &'static [Step],
}

/// What brings the schema from one version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The version it brings.
    pub version: u32,
    /// The lowest version whose program may use the schema after this step.
    pub oldest_program: u32,
    /// Statements, separated by semicolons. On Postgres they share one transaction with all other steps.
    pub sql: &'static str,
}

/// What a database says of its schema; version 0 is an empty database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) version: u32,
    pub(crate) oldest_program: u32,
}

/// The table of one row that holds [`Stored`]; both databases take it.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS database_schema (\
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, oldest_program INTEGER NOT NULL)";

pub(crate) const READ: &str = "SELECT version, oldest_program FROM database_schema WHERE id = 1";

impl Migrations {
    /// The version that this program knows.
    pub fn program(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.version)
    }

    /// The steps that are still to be done.
    pub(crate) fn missing(&self, stored: Stored) -> Result<&'static [Step], Error> {
        debug_assert!(self.steps.iter().zip(1..).all(|(step, version)| step.version == version), "{self:?}");
        let Stored { version, oldest_program } = stored;
        if self.program() < oldest_program {
            return Err(Error::TooNew { version, oldest_program, program: self.program() });
        }
        let first = self.steps.iter().position(|step| step.version > version).unwrap_or(self.steps.len());
        Ok(&self.steps[first..])
    }

    /// The statement that stores what holds after `steps`; numbers of our own, so there is nothing to escape.
    pub(crate) fn store(stored: Stored, steps: &[Step]) -> String {
        let version = steps.last().map_or(stored.version, |step| step.version);
        let oldest = steps.iter().map(|step| step.oldest_program).max().unwrap_or(0).max(stored.oldest_program);
        format!(
            "INSERT INTO database_schema (id, version, oldest_program) VALUES (1, {version}, {oldest}) \
             ON CONFLICT (id) DO UPDATE SET version = excluded.version, oldest_program = excluded.oldest_program"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(version: u32, oldest_program: u32) -> Step {
        Step { version, oldest_program, sql: "" }
    }

    const TWO: Migrations = Migrations { steps: &[step(1, 1), step(2, 1)] };

    fn versions(stored: Stored) -> Result<Vec<u32>, Error> {
        TWO.missing(stored).map(|steps| steps.iter().map(|step| step.version).collect())
    }

    #[test]
    fn only_what_is_missing_is_done() {
        assert_eq!(versions(Stored::default()), Ok(vec![1, 2]));
        assert_eq!(versions(Stored { version: 1, oldest_program: 1 }), Ok(vec![2]));
        assert_eq!(versions(Stored { version: 2, oldest_program: 1 }), Ok(vec![]));
    }

    #[test]
    fn an_older_program_runs_beside_a_newer_schema_until_it_is_excluded() {
        assert_eq!(versions(Stored { version: 9, oldest_program: 2 }), Ok(vec![]));
        let refused = versions(Stored { version: 9, oldest_program: 3 });
        assert_eq!(refused, Err(Error::TooNew { version: 9, oldest_program: 3, program: 2 }));
    }

    #[test]
    fn the_stored_limit_never_goes_down() {
        let text = Migrations::store(Stored { version: 3, oldest_program: 3 }, &[step(4, 2)]);
        assert!(text.contains("VALUES (1, 4, 3)"), "{text}");
    }
}
