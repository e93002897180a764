//! The pod's name, from one run to the next. Losing it costs a list, nothing more: every error is ignored.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::objects::short_hash;

/// Relays end when nobody has used them for some minutes: a name of yesterday leads nowhere.
const OLD: Duration = Duration::from_hours(24);

/// `$XDG_CACHE_HOME/msctl`, else `~/.cache/msctl`.
pub(super) fn default_dir() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    cache.or_else(|| Some(env::home_dir()?.join(".cache"))).map(|cache| cache.join("msctl"))
}

#[derive(Debug, Clone)]
pub(super) struct Memory {
    file: Option<PathBuf>,
}

impl Memory {
    /// One file for each relay that the user has on some API server.
    pub(super) fn new(dir: Option<&Path>, server: &str, namespace: &str, job: &str) -> Self {
        let name = short_hash(&[server, namespace, job]);
        Self { file: dir.map(|dir| dir.join("relays").join(name)) }
    }

    pub(super) fn recall(&self) -> Option<String> {
        let pod = fs::read_to_string(self.file.as_ref()?).ok()?;
        // It becomes part of a URL's path: nothing but a pod's name will do.
        let valid = !pod.is_empty()
            && pod.len() <= 253
            && pod.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        valid.then_some(pod)
    }

    pub(super) fn keep(&self, pod: &str) {
        let Some(file) = &self.file else { return };
        if self.recall().as_deref() == Some(pod) {
            return;
        }
        let Some(dir) = file.parent() else { return };
        let fresh = file.with_extension(std::process::id().to_string());
        let written =
            fs::create_dir_all(dir).and_then(|()| fs::write(&fresh, pod)).and_then(|()| fs::rename(&fresh, file));
        if let Err(error) = written {
            tracing::debug!(%error, file = %file.display(), "cannot remember the relay's pod");
        }
        prune(dir, OLD);
    }

    pub(super) fn forget(&self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// Removes what is older than `age`: every namespace that was ever called has a file.
fn prune(dir: &Path, age: Duration) {
    let Some(since) = SystemTime::now().checked_sub(age) else { return };
    // Files of ours alone: a hash, with a process id while it is written.
    let is_ours = |name: &str| name.split('.').next().is_some_and(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit()));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_ours)
            && entry.metadata().and_then(|about| about.modified()).is_ok_and(|modified| modified < since)
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_replaced_and_forgotten() {
        let dir = env::temp_dir().join(format!("reach-memory-{}", std::process::id()));
        let memory = Memory::new(Some(&dir), "https://one", "demo", "msctl-relay-1");
        assert_eq!(memory.recall(), None);
        memory.keep("msctl-relay-1-abcde");
        memory.keep("msctl-relay-1-fghij");
        assert_eq!(memory.recall().as_deref(), Some("msctl-relay-1-fghij"));
        assert_eq!(Memory::new(Some(&dir), "https://two", "demo", "msctl-relay-1").recall(), None);
        memory.forget();
        assert_eq!(memory.recall(), None);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn names_of_yesterday_are_removed_with_the_next_that_is_kept() {
        let dir = env::temp_dir().join(format!("reach-memory-old-{}", std::process::id()));
        let of = |namespace| Memory::new(Some(&dir), "https://one", namespace, "msctl-relay-1");
        let (old, young, new) = (of("old"), of("young"), of("new"));
        old.keep("pod-1");
        young.keep("pod-2");
        let file = fs::File::options().write(true).open(old.file.as_ref().unwrap()).unwrap();
        file.set_modified(SystemTime::now() - OLD - Duration::from_mins(1)).unwrap();
        new.keep("pod-3");
        assert_eq!(old.recall(), None);
        assert_eq!((young.recall().as_deref(), new.recall().as_deref()), (Some("pod-2"), Some("pod-3")));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_that_holds_no_name_is_ignored() {
        let dir = env::temp_dir().join(format!("reach-memory-bad-{}", std::process::id()));
        let memory = Memory::new(Some(&dir), "https://one", "demo", "job");
        for bad in ["", "../../secrets/x", "a b", "x\n"] {
            memory.keep(bad);
            assert_eq!(memory.recall(), None, "{bad}");
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn without_a_directory_nothing_is_remembered() {
        let memory = Memory::new(None, "https://one", "demo", "job");
        memory.keep("pod");
        assert_eq!(memory.recall(), None);
    }
}
