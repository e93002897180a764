//! From the text of an msctl.yaml to a project: every key is checked, and all problems are gathered.

mod environment;
mod run;
mod service;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use manifests::names;
use serde_json::Value;

use crate::document::{Cursor, Document};
use crate::model::{Environment, LOCAL, Project, Service, ValuesSource};
use crate::problem::{Error, Place, Problem};
use crate::values;
use manifests::suggest::nearest;

/// Reads and checks the text of a file, which has an absolute path.
pub(crate) fn project(text: &str, file: &Path) -> Result<Project, Error> {
    let broken = |problems| Error { file: file.to_owned(), problems };
    let document = Document::parse(text, file).map_err(|problem| broken(vec![problem]))?;
    let folder = file.parent().unwrap_or(file);
    let mut reader = Reader { text, file, folder, problems: Vec::new() };
    if let Some(second) = document.second() {
        reader.problem(second, "a second document starts here; allowed: one");
    }
    let project = reader.project(&document.root());
    if reader.problems.is_empty() {
        return Ok(project);
    }
    let mut problems = reader.problems;
    // Those of the file itself first, from its top to its end.
    problems.sort_by_key(|problem| (problem.file != file, problem.file.clone(), problem.line, problem.column));
    Err(broken(problems))
}

/// Reads what it can, and gathers what is wrong; what it returns counts only when nothing is.
struct Reader<'a> {
    text: &'a str,
    file: &'a Path,
    folder: &'a Path,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(self.file, at, message));
    }

    /// Something is wrong with a value.
    fn wrong(&mut self, cursor: &Cursor<'_>, message: impl std::fmt::Display) {
        self.problem(cursor.at(), format!("{}: {message}", cursor.path));
    }

    /// Something is wrong with a key.
    fn wrong_key(&mut self, cursor: &Cursor<'_>, message: impl std::fmt::Display) {
        self.problem(cursor.key, format!("{}: {message}", cursor.path));
    }

    /// A path of the file, absolute, without `./` in it.
    fn path(&self, relative: &str) -> PathBuf {
        let path = self.folder.join(relative);
        std::path::absolute(&path).unwrap_or(path)
    }

    fn project(&mut self, root: &Cursor<'_>) -> Project {
        let [name, services, environments, environment] =
            self.fields(root, ["name", "services", "environments", "environment"], |_| None);
        let environments = environments.map(|cursor| self.environments(&cursor)).unwrap_or_default();
        Project {
            name: self.name(root, name.as_ref()),
            file: self.file.to_owned(),
            folder: self.folder.to_owned(),
            services: self.services(root, services.as_ref()),
            default_environment: environment.and_then(|cursor| self.default_environment(&cursor, &environments)),
            environments,
        }
    }

    fn name(&mut self, root: &Cursor<'_>, given: Option<&Cursor<'_>>) -> String {
        if let Some(given) = given {
            let name = self.string(given).unwrap_or_default();
            if !name.is_empty()
                && let Err(error) = names::label(&name)
            {
                self.wrong(given, error);
            }
            return name;
        }
        let folder = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if names::label(&folder).is_err() {
            let why = format!("it is missing, and the folder's name, `{folder}`, can't stand in");
            let allowed = "at most 63 of a-z 0-9 -, with a letter or digit at both ends";
            self.problem(root.key, format!("name: {why}; allowed: {allowed}"));
        }
        folder
    }

    fn services(&mut self, root: &Cursor<'_>, services: Option<&Cursor<'_>>) -> BTreeMap<String, Service> {
        let empty = "a project has at least one service, such as `orders: {run: ./orders, port: 8080}`";
        let Some(services) = services else {
            self.problem(root.key, format!("services: it is missing; {empty}"));
            return BTreeMap::new();
        };
        if services.value.is_null() || services.value.as_object().is_some_and(serde_json::Map::is_empty) {
            self.wrong_key(services, format!("it is empty; {empty}"));
        } else if !services.value.is_object() {
            self.wrong_type(services, "a map of services by their names");
        }
        let mut read = BTreeMap::new();
        let mut ports = service::Ports::default();
        for (name, cursor) in services.entries() {
            let service = self.service(name, &cursor, &mut ports);
            read.insert(name.to_owned(), service);
        }
        read
    }

    fn default_environment(&mut self, cursor: &Cursor<'_>, known: &BTreeMap<String, Environment>) -> Option<String> {
        let name = self.string(cursor)?;
        if name == LOCAL || known.contains_key(&name) {
            return Some(name);
        }
        let known: Vec<&str> =
            known.keys().map(String::as_str).filter(|known| *known != LOCAL).chain([LOCAL]).collect();
        let hint = match nearest(&name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed: {}", known.join(", ")),
        };
        self.wrong(cursor, format!("there is no environment `{name}`; {hint}"));
        None
    }

    /// The entries of a map by the keys it may have; others are problems, about which `hint` may know more.
    fn fields<'c, const N: usize>(
        &mut self,
        cursor: &Cursor<'c>,
        known: [&str; N],
        hint: impl Fn(&str) -> Option<String>,
    ) -> [Option<Cursor<'c>>; N] {
        let mut fields = [const { None }; N];
        if !cursor.value.is_object() && !cursor.value.is_null() {
            self.wrong_type(cursor, &format!("a map with the keys {}", known.join(", ")));
        }
        for (key, entry) in cursor.entries() {
            if let Some(index) = known.iter().position(|known| *known == key) {
                fields[index] = Some(entry);
                continue;
            }
            let near = nearest(key, known).map(|near| format!("did you mean `{near}`?"));
            let allowed = || format!("allowed here: {}", known.join(", "));
            let hint = hint(key).or(near).unwrap_or_else(allowed);
            self.wrong_key(&entry, format!("unknown key; {hint}"));
        }
        fields
    }

    /// A string that is not empty.
    fn string(&mut self, cursor: &Cursor<'_>) -> Option<String> {
        match cursor.value {
            Value::String(text) if text.is_empty() => {
                self.wrong(cursor, "it is empty");
                None
            }
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => {
                self.wrong_type(cursor, "a string; put it in quotes");
                None
            }
            _ => {
                self.wrong_type(cursor, "a string");
                None
            }
        }
    }

    fn wrong_type(&mut self, cursor: &Cursor<'_>, allowed: &str) {
        let text = cursor.text().unwrap_or_default();
        let found = match cursor.value {
            Value::Null => "it is empty".to_owned(),
            Value::Bool(_) => format!("`{text}` is a boolean"),
            Value::Number(_) => format!("`{text}` is a number"),
            Value::String(_) => format!("`{text}` is a string"),
            Value::Array(_) => "it is a list".to_owned(),
            Value::Object(_) => "it is a map".to_owned(),
        };
        self.wrong(cursor, format!("{found}; allowed: {allowed}"));
    }

    /// A map, the name of a file, or a list of both.
    fn values(&mut self, cursor: &Cursor<'_>, service: &str) -> Vec<ValuesSource> {
        let source = |reader: &mut Self, cursor: &Cursor<'_>| match cursor.value {
            Value::Object(_) => {
                reader.problems.extend(values::problems(service, cursor, reader.file));
                Some(ValuesSource { file: None, values: cursor.value.clone() })
            }
            Value::String(name) if !name.is_empty() => reader.values_file(cursor, name, service),
            _ => {
                reader.wrong_type(cursor, "a map of values, the name of a file with some, or a list of both");
                None
            }
        };
        match cursor.value {
            Value::Null => Vec::new(),
            Value::Array(_) => cursor.items().filter_map(|item| source(self, &item)).collect(),
            _ => source(self, cursor).into_iter().collect(),
        }
    }

    fn values_file(&mut self, cursor: &Cursor<'_>, name: &str, service: &str) -> Option<ValuesSource> {
        match values::file(self.path(name), service) {
            Ok(source) => Some(source),
            Err(problems) => {
                for problem in problems {
                    // Without a place in that file, the one that names it is wrong.
                    if problem.line == 0 {
                        self.wrong(cursor, problem);
                    } else {
                        self.problems.push(problem);
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
