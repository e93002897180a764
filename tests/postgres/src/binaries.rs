//! Where Postgres' programs are.

use std::path::{Path, PathBuf};

use crate::Error;

/// The programs that a server is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) initdb: PathBuf,
    pub(crate) postgres: PathBuf,
}

impl Binaries {
    /// From PATH, else the newest version that Debian's packages installed, which are not on PATH.
    pub(crate) fn find() -> Result<Self, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(debian(Path::new("/usr/lib/postgresql")))
            .find_map(|folder| Self::of(&folder))
            .ok_or(Error::NotInstalled)
    }

    fn of(folder: &Path) -> Option<Self> {
        let both = Self { initdb: folder.join("initdb"), postgres: folder.join("postgres") };
        (both.initdb.is_file() && both.postgres.is_file()).then_some(both)
    }
}

/// `root/VERSION/bin`, the newest version first.
fn debian(root: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<u32> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|version| root.join(version.to_string()).join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_debians_versions_comes_first_and_what_is_no_version_does_not_count() {
        let root = std::env::temp_dir().join(format!("test-postgres-versions-{}", std::process::id()));
        for name in ["9", "15", "16", "common"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }

        let found = debian(&root);

        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, ["16", "15", "9"].map(|version| root.join(version).join("bin")));
    }

    #[test]
    fn a_folder_without_both_programs_is_none() {
        assert_eq!(Binaries::of(Path::new("/nonexistent")), None);
    }
}
