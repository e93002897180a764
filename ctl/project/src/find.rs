//! Where the msctl.yaml of a command is.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::model::Project;
use crate::problem::{Error, Place, Problem};
use crate::read;

/// The name of the file.
pub const FILE_NAME: &str = "msctl.yaml";

impl Project {
    /// The project that a command works on, if there is one.
    ///
    /// `given` is what `--project` or `MSCTL_PROJECT` names, a file or the folder of an msctl.yaml, and has to be there. Without it the
    /// file is looked for in `from` and in the folders above it, as git looks for its own. Like git, nobody is made to run what somebody
    /// else has put into a folder above: the file has to be this user's or root's.
    pub fn discover(given: Option<&Path>, from: &Path) -> Result<Option<Self>, Error> {
        match given {
            Some(given) => {
                let given = from.join(given);
                let file = if given.is_dir() { given.join(FILE_NAME) } else { given };
                Self::load(&file).map(Some)
            }
            None => {
                find(from).map(|file| trusted(&file, geteuid().as_raw()).and_then(|()| Self::load(&file))).transpose()
            }
        }
    }

    /// Reads and checks a file.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let text = read_text(&file).map_err(|problem| Error { file: file.clone(), problems: vec![problem] })?;
        read::project(&text, &file)
    }
}

/// The nearest msctl.yaml, from a folder upwards to the root of the file system.
fn find(from: &Path) -> Option<PathBuf> {
    from.ancestors().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file())
}

/// Whether a file that nobody named is one's own, both what it is and, for a link, who made that.
fn trusted(file: &Path, user: u32) -> Result<(), Error> {
    let refused = |message| Error { file: file.to_owned(), problems: vec![Problem::new(file, Place::NONE, message)] };
    for found in [std::fs::symlink_metadata(file), std::fs::metadata(file)] {
        let owner = found.map_err(|error| refused(format!("it can't be read: {error}")))?.uid();
        if owner != user && owner != 0 {
            return Err(refused(format!(
                "it was found here, and it is another user's (UID {owner}); --project {} says that it is meant",
                file.display()
            )));
        }
    }
    Ok(())
}

/// The text of a file.
pub(crate) fn read_text(file: &Path) -> Result<String, Problem> {
    let bytes = std::fs::read(file).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => format!("it can't be read: {error}"),
        };
        Problem::new(file, Place::NONE, why)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = valid.matches('\n').count() + 1;
        let column = valid.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Problem::new(file, Place { line, column }, "it is not UTF-8 from here on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    const TEXT: &str = "name: shop\nservices: {service-a: {}}\n";

    #[test]
    fn the_nearest_file_above_is_found() {
        let folder = TempFolder::new("find");
        let deep = folder.folder("a/b/c");
        let file = folder.file("a/msctl.yaml", TEXT);
        folder.folder("a/b/msctl.yaml");
        let project = Project::discover(None, &deep).unwrap().unwrap();
        assert_eq!((project.file, project.folder), (file, folder.path().join("a")));
        assert_eq!(find(folder.path()), None, "nobody keeps one above the folder of temporary files");
    }

    #[test]
    fn a_file_or_its_folder_may_be_given_and_has_to_be_there() {
        let folder = TempFolder::new("given");
        let (elsewhere, file) = (folder.folder("a"), folder.file("other.yaml", TEXT));
        folder.file("a/msctl.yaml", TEXT);
        let given = |path: &str| Project::discover(Some(Path::new(path)), folder.path());
        assert_eq!(given("other.yaml").unwrap().unwrap().file, file);
        assert_eq!(given("a").unwrap().unwrap().folder, elsewhere);
        let missing = folder.path().join("none.yaml");
        let told = format!("cannot use {0}:\n  {0}: there is no such file", missing.display());
        assert_eq!(given("none.yaml").unwrap_err().to_string(), told);
    }

    #[test]
    fn a_file_of_another_user_is_taken_only_when_it_is_named() {
        let folder = TempFolder::new("owner");
        let (file, link) = (folder.file("msctl.yaml", TEXT), folder.path().join("link"));
        assert_eq!(trusted(&file, geteuid().as_raw()), Ok(()));
        let mine = geteuid().as_raw();
        if !geteuid().is_root() {
            let told = trusted(&file, mine + 1).unwrap_err().to_string();
            assert!(told.contains(&format!("another user's (UID {mine})")), "{told}");
            return;
        }
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(4711), None).unwrap();
        assert!(trusted(&link, mine).is_err(), "who makes a link says what is read");
        assert_eq!(trusted(&link, 4711), Ok(()), "root's are everybody's");
        std::os::unix::fs::chown(&file, Some(4711), None).unwrap();
        let told = Project::discover(None, folder.path()).unwrap_err().to_string();
        assert!(told.contains("another user's (UID 4711); --project "), "{told}");
        assert!(Project::discover(Some(&file), folder.path()).is_ok());
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let folder = TempFolder::new("utf8");
        let file = folder.path().join(FILE_NAME);
        std::fs::write(&file, b"name: shop\nservices: \xff\n").unwrap();
        let error = Project::load(&file).unwrap_err();
        assert_eq!(error.problems[0].to_string(), format!("{}:2:11: it is not UTF-8 from here on", file.display()));
    }
}
