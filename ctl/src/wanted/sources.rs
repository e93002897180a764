//! Which file or flag said a value, for the `where` line of an error about it.

use serde_json::Value;

/// All that said something, in the order in which they are laid over each other.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Said>);

#[derive(Debug)]
struct Said {
    name: String,
    /// It says keys and values, and is told with the key alone: a value may be a secret.
    with_key: bool,
    values: Value,
}

impl Sources {
    pub(super) fn file(&mut self, name: String, values: Value) {
        if values.as_object().is_none_or(|values| !values.is_empty()) {
            self.0.push(Said { name, with_key: false, values });
        }
    }

    /// `--set` and the like.
    pub(super) fn flag(&mut self, flag: &str, values: Value) {
        self.0.push(Said { name: flag.to_owned(), with_key: true, values });
    }

    /// What `--image`, `--port` and `--replicas` say.
    pub(super) fn short_forms(&mut self, values: &Value) {
        for (key, flag) in [("image", "--image"), ("service", "--port"), ("replicas", "--replicas")] {
            if let Some(value) = values.get(key) {
                let values = Value::Object([(key.to_owned(), value.clone())].into_iter().collect());
                self.0.push(Said { name: flag.to_owned(), with_key: false, values });
            }
        }
    }

    /// Who said what is at each of `paths`, as problems name them: `service.port`, `tolerations[0].effect`. Of several
    /// that did, the last one counts. What nobody said is about what all of them say together.
    pub(super) fn of<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut names = Vec::new();
        for path in paths {
            let keys = keys(path);
            let told = |said: &Said| if said.with_key { format!("{} {path}", said.name) } else { said.name.clone() };
            match self.0.iter().rfind(|said| holds(&said.values, &keys)) {
                Some(said) => names.push(told(said)),
                None => names.extend(self.0.iter().map(|said| said.name.clone())),
            }
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}

/// The keys of a path; a dot within one is escaped. Indices are left out: a list is one value.
fn keys(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        let literal = match letter {
            '.' => {
                keys.push(String::new());
                continue;
            }
            '[' => break,
            '\\' => letters.next(),
            other => Some(other),
        };
        if let Some(last) = keys.last_mut() {
            last.extend(literal);
        }
    }
    keys
}

fn holds(values: &Value, keys: &[String]) -> bool {
    keys.iter().try_fold(values, |at, key| at.get(key)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_one_that_said_it_is_named_and_never_with_its_value() {
        let mut sources = Sources::default();
        assert!(sources.of(["image.tag"].into_iter()).is_empty());
        let file = json!({"service": {"port": 80}, "tolerations": [{"effect": "x"}], "env": {"a.b": "1"}});
        sources.file("prod.yaml".to_owned(), file);
        sources.flag("--set", json!({"service": {"port": 70000}, "env": {"TOKEN": "s3cret"}}));
        sources.short_forms(&json!({"replicas": -1}));
        for (path, names) in [
            ("service.port", &["--set service.port"][..]),
            ("tolerations[0].effect", &["prod.yaml"]),
            ("env.a\\.b", &["prod.yaml"]),
            ("env.TOKEN", &["--set env.TOKEN"]),
            ("replicas", &["--replicas"]),
            // Nobody said it: a default, and what it does not go together with.
            ("service.type", &["prod.yaml", "--set", "--replicas"]),
        ] {
            assert_eq!(sources.of([path].into_iter()), names, "{path}");
        }
        assert_eq!(sources.of(["replicas", "replicas", "env"].into_iter()), ["--replicas", "--set env"]);
    }
}
