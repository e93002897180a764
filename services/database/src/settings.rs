//! A service's database in its environment.

use std::path::{Path, PathBuf};

use runtime::env::{Env, Value};

use crate::url::{self, PostgresUrl, Url};

const URL: &str = "DATABASE_URL";
const URL_FILE: &str = "DATABASE_URL_FILE";

/// Which database a service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub url: Url,
}

impl Settings {
    /// Reads `DATABASE_URL`, or the file that `DATABASE_URL_FILE` names. Without both it is the `SQLite` file
    /// `default_file` in the working directory.
    pub fn read(env: &mut Env<'_>, default_file: &'static str) -> Self {
        let default = Url::Sqlite(PathBuf::from(default_file));
        let direct = env.get(URL, default.clone(), "the service's database: sqlite://PATH, postgres://… or none");
        let file = env.get(
            URL_FILE,
            File(None),
            "a file that holds it, such as a mounted secret; with postgres:// read at every connect",
        );
        let Some(path) = file.0 else {
            check(env, URL, &direct);
            return Self { url: direct };
        };
        let shown = path.display().to_string();
        if direct != default {
            env.mistake(URL_FILE, &shown, &format!("nothing while {URL} is set"));
            return Self { url: direct };
        }
        Self { url: in_file(env, &path, &shown).unwrap_or(default) }
    }
}

fn in_file(env: &mut Env<'_>, path: &Path, shown: &str) -> Option<Url> {
    let url = match url::read(path) {
        Ok(text) => <Url as Value>::parse(&text),
        Err(problem) => {
            env.mistake(URL_FILE, shown, &format!("a file that can be read ({problem})"));
            return None;
        }
    };
    match url {
        Some(url @ Url::Postgres(_)) => {
            check(env, URL_FILE, &url);
            Some(Url::Postgres(PostgresUrl::in_file(path)))
        }
        Some(other) => Some(other),
        None => {
            env.mistake(URL_FILE, shown, &format!("a file that holds {}", Url::ALLOWED));
            None
        }
    }
}

/// What is a URL, and asks for what is not possible.
fn check(env: &mut Env<'_>, name: &str, url: &Url) {
    if let Url::Postgres(postgres) = url
        && let Some(possible) = postgres.ssl_mistake()
    {
        env.mistake(name, &url.to_string(), possible);
    }
}

/// A file's path, or none.
struct File(Option<PathBuf>);

impl Value for File {
    const ALLOWED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        Some(Self(Some(text.into())))
    }

    fn text(&self) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Settings, String> {
        let mut env = Env::new(lookup);
        let settings = Settings::read(&mut env, "service-a.sqlite3");
        env.finish(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn without_settings_it_is_a_file_in_the_working_directory() {
        assert_eq!(settings(&|_| None), Ok(Settings { url: Url::Sqlite("service-a.sqlite3".into()) }));
    }

    #[test]
    fn a_url_that_is_none_is_told_with_what_is_allowed_and_without_its_password() {
        let lookup = |name: &str| (name == URL).then(|| "postgres://me:secret@db:x/a".to_owned());
        let told = settings(&lookup).unwrap_err();
        assert!(told.starts_with(r#"DATABASE_URL="postgres://…" can't be used; allowed: sqlite://PATH"#), "{told}");
    }

    #[test]
    fn encryption_that_is_not_possible_is_told_at_the_start() {
        let lookup = |name: &str| (name == URL).then(|| "postgres://me:secret@db/a?sslmode=verify-full".to_owned());
        let told = settings(&lookup).unwrap_err();
        let expected = r#"DATABASE_URL="postgres://db:5432/a" can't be used; allowed: sslrootcert=PATH"#;
        assert!(told.starts_with(expected), "{told}");
    }

    #[test]
    fn a_file_may_hold_the_url() {
        let path = std::env::temp_dir().join(format!("database-settings-{}", std::process::id()));
        let named = path.display().to_string();
        let lookup = |name: &str| (name == URL_FILE).then(|| named.clone());
        assert!(settings(&lookup).unwrap_err().contains("a file that can be read"));
        for (held, expected) in [("none\n", Ok(Url::None)), ("sqlite://a\n", Ok(Url::Sqlite("a".into())))] {
            std::fs::write(&path, held).unwrap();
            assert_eq!(settings(&lookup).map(|settings| settings.url), expected);
        }
        std::fs::write(&path, "secret").unwrap();
        let told = settings(&lookup).unwrap_err();
        assert!(told.contains("a file that holds sqlite://PATH") && !told.contains("secret"), "{told}");
        std::fs::write(&path, "postgres://me:secret@db/a").unwrap();
        assert_eq!(settings(&lookup).unwrap().url.to_string(), "postgres://db:5432/a");

        let both = |name: &str| (name == URL).then(|| "none".to_owned()).or_else(|| lookup(name));
        assert!(settings(&both).unwrap_err().contains("nothing while DATABASE_URL is set"));
        std::fs::remove_file(&path).unwrap();
    }
}
