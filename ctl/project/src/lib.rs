//! msctl.yaml: the services of a project, how each runs on this machine, and the clusters that they are deployed to.
//!
//! The file is found, read and checked here; nothing is started, and no cluster is asked. [`Project::discover`] is where a command
//! begins. Everything that is wrong is told at once, each problem with its line and column: keys, types, names, ports, command lines,
//! and the values of services by the same schema that `msctl deploy` and the charts use.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("msctl-project-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! let text = "name: shop\nservices:\n  orders:\n    run: python3 -u orders.py\n    port: 8000\n";
//! std::fs::write(folder.join("msctl.yaml"), text).unwrap();
//! let project = project::Project::discover(None, &folder).unwrap().expect("it was just written");
//! assert_eq!(project.service("orders").unwrap().run.as_ref().unwrap().argv, ["python3", "-u", "orders.py"]);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! ```

mod document;
mod find;
mod model;
mod problem;
mod read;
mod run;
mod values;

#[cfg(test)]
mod testing;

pub use find::FILE_NAME;
pub use model::{Choice, Environment, LOCAL, Project, Refused, Service, Unknown, ValuesSource};
pub use problem::{Error, Problem};
pub use run::{ResolveError, Run};
