//! The msctl.yaml files that come with msctl: they are read as they are meant, and their values hold together.

use std::path::Path;

use manifests::values::{Values, defaults, merge, resolve};
use project::{Choice, Project, Service};
use serde_json::json;

use crate::{TempFolder, root};

/// All that counts on this machine, by the rules between keys too.
fn local_values(service: &Service) -> Values {
    let mut user = service.user_values();
    user.overlay(service.local.clone());
    // On this machine an image is of no use, and here none has to be made up for the bundled ones.
    let image = json!({"image": {"repository": "registry.invalid/none", "tag": "0"}});
    resolve(merge(merge(defaults(&service.name).unwrap(), image), user.into_value())).unwrap()
}

#[test]
fn the_repositorys_own_project_runs_a_and_b_with_a_file_each() {
    let project = Project::discover(None, &root().join("services/a/src")).unwrap().unwrap();
    assert_eq!(project.file, root().join("msctl.yaml"));
    assert_eq!(project.name, "demo");
    assert_eq!(project.environment(None), Ok(Choice::None), "without --local msctl is for clusters");
    for (name, port) in [("service-a", 8000), ("service-b", 8001)] {
        let service = project.service(name).unwrap();
        assert_eq!(service.run.as_ref().unwrap().argv, [name]);
        assert_eq!(service.folder, root());
        let values = local_values(service);
        assert_eq!((values.service.port, values.replicas), (port, Some(1)));
        assert_eq!(values.env["DATABASE_URL"].0, format!("sqlite://.msctl/data/{name}.sqlite3"));
        assert!(service.values.is_empty(), "a deploy from this folder is the charts'");
    }
    let a = local_values(project.service("service-a").unwrap());
    assert_eq!(a.env["SERVICE_B_URL"].0, "http://127.0.0.1:8001");
}

#[test]
fn the_python_example_is_ready_by_its_own_path() {
    let project = Project::discover(Some(&root().join("docs/examples/python")), Path::new("/")).unwrap().unwrap();
    assert_eq!(project.environment(None), Ok(Choice::Local));
    for (name, port) in [("frontend", 8000), ("backend", 8001)] {
        let service = project.service(name).unwrap();
        let program = format!("{name}.py");
        assert_eq!(service.run.as_ref().unwrap().argv, ["python3", "-u", program.as_str()]);
        assert!(service.folder.join(&program).is_file());
        let values = local_values(service);
        assert_eq!(values.service.port, port);
        assert_eq!(values.probes.readiness.path.as_ref().unwrap().0, "/healthz");
    }
}

#[test]
fn the_users_page_shows_a_project_that_is_right() {
    let page = std::fs::read_to_string(root().join("docs/local.md")).unwrap();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let folder = TempFolder::new("page");
    folder.file("staging.yaml", "replicas: 3\n");
    let project = Project::load(&folder.file("msctl.yaml", text)).unwrap();
    assert_eq!(local_values(project.service("orders").unwrap()).service.port, 8080);
    assert_eq!(project.environments["staging"].context, "kind-msctl");
}
