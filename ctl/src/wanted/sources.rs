//! Which file or flag said a value, for the `where` line of an error about it.

use manifests::values::UserValues;
use serde_json::Value;

use crate::cli::deploy::ValuesArgs;

/// All that said something, in the order in which they are laid over each other.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<(String, Value)>);

impl Sources {
    pub(super) fn add(&mut self, name: String, values: UserValues) {
        self.0.push((name, values.into_value()));
    }

    /// Those of `--image`, `--port` and `--replicas`, by their names.
    pub(super) fn add_short_forms(&mut self, args: &ValuesArgs, values: &Value) {
        let flags = [
            ("image", args.image.as_ref().map(|image| format!("--image {image}"))),
            ("service", args.port.map(|port| format!("--port {port}"))),
            ("replicas", args.replicas.map(|replicas| format!("--replicas {replicas}"))),
        ];
        for (key, flag) in flags {
            if let (Some(flag), Some(value)) = (flag, values.get(key)) {
                self.0.push((flag, Value::Object([(key.to_owned(), value.clone())].into_iter().collect())));
            }
        }
    }

    /// Who said what is at each of `paths`, as problems name them: `service.port`, `tolerations[0].effect`. Of several
    /// that did, the last one counts; of a path that nobody said whole, who said the most of it; a default is nobody's.
    pub(super) fn of<'a>(&self, paths: impl Iterator<Item = &'a str>) -> Vec<&str> {
        let mut names = Vec::new();
        for path in paths {
            let keys = keys(path);
            let said = self.0.iter().map(|(name, values)| (depth(values, &keys), name.as_str()));
            // The last of the deepest.
            let best = said.filter(|(depth, _)| *depth > 0).max_by_key(|(depth, _)| *depth);
            if let Some((_, name)) = best.filter(|(_, name)| !names.contains(name)) {
                names.push(name);
            }
        }
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

/// How many of the keys lead somewhere.
fn depth(values: &Value, keys: &[String]) -> usize {
    let mut at = values;
    for (depth, key) in keys.iter().enumerate() {
        match at.get(key) {
            Some(inner) => at = inner,
            None => return depth,
        }
    }
    keys.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use manifests::values::set::Kind;
    use serde_json::json;

    #[test]
    fn the_last_one_that_said_most_of_it_is_named_and_nobody_is_for_a_default() {
        let mut sources = Sources::default();
        let mut file = UserValues::default();
        file.overlay(json!({"service": {"port": 80}, "tolerations": [{"effect": "x"}], "env": {"a.b": "1"}}));
        sources.add("--values prod.yaml".to_owned(), file);
        let mut flag = UserValues::default();
        flag.set(Kind::Typed, "service.port=70000").unwrap();
        sources.add("--set service.port=70000".to_owned(), flag);
        let args = ValuesArgs { replicas: Some(-1), ..ValuesArgs::default() };
        sources.add_short_forms(&args, &json!({"replicas": -1}));
        for (path, name) in [
            ("service.port", Some("--set service.port=70000")),
            ("tolerations[0].effect", Some("--values prod.yaml")),
            ("env.a\\.b", Some("--values prod.yaml")),
            ("replicas", Some("--replicas -1")),
            ("service.type", Some("--set service.port=70000")),
            ("image.tag", None),
        ] {
            assert_eq!(sources.of([path].into_iter()), name.into_iter().collect::<Vec<_>>(), "{path}");
        }
        assert_eq!(sources.of(["replicas", "replicas", "env"].into_iter()), ["--replicas -1", "--values prod.yaml"]);
    }
}
