//! One service of a project.

use std::path::PathBuf;

use manifests::names;
use manifests::values::{ImageError, ImageReference, schema};
use serde_json::{Value, json};

use super::Reader;
use crate::document::Cursor;
use crate::model::Service;
use crate::problem::Place;
use crate::values::{self, Said};

/// The ports of the services that run on this machine, each with whose it is and where that is said.
#[derive(Default)]
pub(super) struct Ports(Vec<(u16, String, Place)>);

impl Reader<'_> {
    pub(super) fn service(&mut self, name: &str, cursor: &Cursor<'_>, ports: &mut Ports) -> Service {
        let before = self.problems.len();
        if let Err(error) = names::service(name) {
            self.wrong_key(cursor, error);
        }
        let known = ["run", "folder", "image", "port", "values", "local"];
        let [run, folder, image, port, values, local] = self.fields(cursor, known, is_a_value);
        let service = Service {
            name: name.to_owned(),
            run: run.and_then(|cursor| self.run(&cursor)),
            folder: folder.map_or_else(|| self.folder.to_owned(), |cursor| self.working_folder(&cursor)),
            image: image.and_then(|cursor| self.image(&cursor)),
            port: port.as_ref().and_then(|cursor| self.port(cursor)),
            values: values.map(|cursor| self.values(&cursor, name)).unwrap_or_default(),
            local: local.map_or_else(|| json!({}), |cursor| self.local(&cursor, name)),
        };
        if let Some(port) = &port {
            self.said_once(&service, port);
        }
        // A service that is wrong anyway may have a port that isn't the one it was meant to have.
        if self.problems.len() == before {
            self.its_port(&service, port.as_ref().unwrap_or(cursor), ports);
        }
        service
    }

    fn working_folder(&mut self, cursor: &Cursor<'_>) -> PathBuf {
        let Some(folder) = self.string(cursor) else { return self.folder.to_owned() };
        let folder = self.path(&folder);
        if !folder.is_dir() {
            self.wrong(cursor, format!("there is no folder {}", folder.display()));
        }
        folder
    }

    fn image(&mut self, cursor: &Cursor<'_>) -> Option<String> {
        let image = self.string(cursor)?;
        if let Err(error) = image.parse::<ImageReference>() {
            let error: ImageError = error;
            self.wrong(cursor, error);
        }
        Some(image)
    }

    fn port(&mut self, cursor: &Cursor<'_>) -> Option<u16> {
        let allowed = "a whole number from 1 to 65535";
        let Value::Number(number) = cursor.value else {
            self.wrong_type(cursor, allowed);
            return None;
        };
        let port = number.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        if port.is_none() {
            self.wrong(cursor, format!("{number} is out of range; allowed: {allowed}"));
        }
        port
    }

    fn local(&mut self, cursor: &Cursor<'_>, name: &str) -> Value {
        match cursor.value {
            Value::Object(_) => {
                self.problems.extend(values::problems(name, cursor, self.file));
                cursor.value.clone()
            }
            Value::Null => json!({}),
            _ => {
                self.wrong_type(cursor, "a map of values");
                json!({})
            }
        }
    }

    /// `port` is short for a value, which may say something else.
    fn said_once(&mut self, service: &Service, port: &Cursor<'_>) {
        let long = service.values.iter().filter_map(|source| source.values.pointer("/service/port")).next_back();
        if long.is_some_and(|long| long != port.value) {
            self.wrong(port, "`values` has another one as service.port; say it once");
        }
    }

    /// It has one, and no other service that runs on this machine has the same.
    fn its_port(&mut self, service: &Service, cursor: &Cursor<'_>, ports: &mut Ports) {
        let (port, said) = values::local_port(service);
        let name = &service.name;
        if said == Said::No {
            let why = format!("`port` is missing, and msctl brings no chart of {name} that says it");
            return self.wrong_key(cursor, format!("{why}; add the port that it listens on, such as `port: 8080`"));
        }
        let Some(port) = port.filter(|_| service.run.is_some()) else { return };
        if let Some((_, other, at)) = ports.0.iter().find(|(taken, ..)| *taken == port) {
            let clash =
                format!("{port} is the port of {other} too (line {}); on this machine each has its own", at.line);
            self.wrong(cursor, clash);
        }
        ports.0.push((port, name.clone(), cursor.key));
    }
}

/// A key of the values that was written one level too high.
fn is_a_value(key: &str) -> Option<String> {
    let is_one = schema()["properties"].get(key).is_some();
    is_one.then(|| format!("`{key}` is one of a service's values: write it under `values`, or under `local`"))
}
