use serde_json::json;

use super::*;
use crate::model::Choice;
use crate::testing::TempFolder;

/// A folder with a file of values, a broken one and an empty folder.
fn folder(name: &str) -> TempFolder {
    let folder = TempFolder::new(name);
    folder.file("good.yaml", "replicas: 3\nenv:\n  MODE: 'yes'\n");
    folder.file("wrong.yaml", "env: {}\nreplicsa: 3\nservice: {port: http}\n");
    folder.file("broken.yaml", "env: {}\n - x\n");
    folder.folder("web");
    folder
}

fn read(name: &str, text: &str) -> Result<Project, String> {
    let folder = folder(name);
    let file = folder.path().join("msctl.yaml");
    super::project(text, &file).map_err(|error| {
        assert_eq!(error.file, file);
        let lines: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        lines.join("\n").replace(&format!("{}/", folder.path().display()), "")
    })
}

#[track_caller]
fn refused(name: &str, text: &str, expected: &[&str]) {
    let error = read(name, text).unwrap_err();
    let found: Vec<&str> = error.lines().collect();
    assert_eq!(found, expected, "\n{error}\n");
}

#[test]
fn a_project_is_what_its_file_says() {
    let text = "
name: shop
services:
  service-a:
  web:
    run: ['./serve', --port, 08, yes]
    folder: web
    image: ghcr.io/example/web:1.2
    port: 8080
    values: [good.yaml, {replicas: 2, env: {MODE: null}}]
    local: {replicas: 0400}
environments:
  staging: {context: kind-msctl, namespace: shop, values: good.yaml, otlp: 'http://otel:4318', jaeger: jaeger.ops:16686}
  live: {context: live}
environment: staging
";
    let project = read("whole", text).unwrap();
    assert_eq!(project.name, "shop");
    assert_eq!(project.file, project.folder.join("msctl.yaml"));

    let a = project.service("service-a").unwrap();
    assert_eq!((&a.run, &a.folder, a.port, &a.local), (&None, &project.folder, None, &json!({})));

    let web = project.service("web").unwrap();
    let serve = project.folder.join("serve").display().to_string();
    assert_eq!(web.run.as_ref().unwrap().argv, [serve.as_str(), "--port", "08", "yes"]);
    assert_eq!(web.folder, project.folder.join("web"));
    assert_eq!(web.values[0].file, Some(project.folder.join("good.yaml")));
    assert_eq!(web.local, json!({"replicas": 256}));
    let user = web.user_values().into_value();
    let image = json!({"repository": "ghcr.io/example/web", "tag": "1.2", "digest": null});
    assert_eq!(
        user,
        json!({"replicas": 2, "env": {"MODE": null}, "image": image, "service": {"port": 8080}}),
        "the later source is laid over the earlier one, and a null is kept to delete a default"
    );

    let Choice::Cluster(staging) = project.environment(None).unwrap() else { panic!("the default is a cluster") };
    assert_eq!((staging.name.as_str(), staging.context.as_str()), ("staging", "kind-msctl"));
    assert_eq!(staging.namespace.as_deref(), Some("shop"));
    assert_eq!(staging.values[0].values, json!({"replicas": 3, "env": {"MODE": "yes"}}));
    assert_eq!(staging.otlp.as_deref(), Some("http://otel:4318"));
    assert_eq!(staging.jaeger.as_deref(), Some("jaeger.ops:16686"));
    assert_eq!(project.environment(Some("local")), Ok(Choice::Local));
    assert_eq!(project.environments["live"].namespace, None);
}

#[test]
fn without_a_default_no_environment_is_chosen() {
    let project = read("none", "name: shop\nservices: {service-a: {}}\n").unwrap();
    assert_eq!(project.environment(None), Ok(Choice::None));
    let error = project.environment(Some("lcal")).unwrap_err().to_string();
    assert!(error.ends_with("msctl.yaml has no environment `lcal`; it has local; did you mean `local`?"), "{error}");
    let error = project.service("servce-a").unwrap_err().to_string();
    assert!(error.ends_with("has no service `servce-a`; it has service-a; did you mean `service-a`?"), "{error}");
}

#[test]
fn the_folders_name_stands_in_for_the_projects() {
    let folder = TempFolder::new("name");
    let project = |name: &str| super::project("services: {service-a: {}}\n", &folder.folder(name).join("msctl.yaml"));
    assert_eq!(project("my-shop").unwrap().name, "my-shop");
    assert_eq!(
        project("My Shop").unwrap_err().problems[0].message,
        "name: it is missing, and the folder's name, `My Shop`, can't stand in; \
         allowed: at most 63 of a-z 0-9 -, with a letter or digit at both ends"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let text = "\
name: My_Shop
services:
  Orders:
    run: orders
    prot: 8080
    replicas: 2
  web:
    run: 'web \"--title x'
    port: 70000
    image: web
    folder: wbe
    values: {replcas: 1, env: {A: [1]}}
    local: {admin: {port: -1}}
environments:
  local: {}
  live: {contxt: live, otlp: otel, namespace: a.b, jaeger: 5}
environment: prod
enviroment: live
";
    refused(
        "many",
        text,
        &[
            "msctl.yaml:1:7: name: `My_Shop` is no name (RFC 1123 label): at most 63 of a-z 0-9 -, with a letter or digit at both ends",
            "msctl.yaml:3:3: services.Orders: `Orders` is no name of a service: at most 52 of a-z 0-9 -, starting with a letter, ending with a letter or digit",
            "msctl.yaml:5:5: services.Orders.prot: unknown key; did you mean `port`?",
            "msctl.yaml:6:5: services.Orders.replicas: unknown key; `replicas` is one of a service's values: write it under `values`, or under `local`",
            r#"msctl.yaml:8:15: services.web.run: the quotation `"--title x` has no closing ""#,
            "msctl.yaml:9:11: services.web.port: 70000 is out of range; allowed: a whole number from 1 to 65535",
            "msctl.yaml:10:12: services.web.image: image `web`: it names no registry: write it in full, such as docker.io/library/NAME:TAG or ghcr.io/OWNER/NAME:TAG",
            "msctl.yaml:11:13: services.web.folder: there is no folder wbe",
            "msctl.yaml:12:14: services.web.values.replcas: unknown key; did you mean `replicas`?",
            "msctl.yaml:12:35: services.web.values.env.A: it is a list; allowed: a string",
            "msctl.yaml:13:27: services.web.local.admin.port: -1 is out of range; allowed: a whole number from 1 to 65535",
            "msctl.yaml:15:3: environments.local: it is built in; what counts on this machine only is a service's `local`",
            "msctl.yaml:16:3: environments.live: its `context` is missing: the kubeconfig's context that it is pinned to",
            "msctl.yaml:16:10: environments.live.contxt: unknown key; did you mean `context`?",
            "msctl.yaml:16:30: environments.live.otlp: `otel` is not allowed; allowed: a URL such as http://jaeger:4318, or nothing",
            "msctl.yaml:16:47: environments.live.namespace: `a.b` is no name (RFC 1123 label): at most 63 of a-z 0-9 -, with a letter or digit at both ends",
            "msctl.yaml:16:60: environments.live.jaeger: `5` is a number; allowed: a string; put it in quotes",
            "msctl.yaml:17:14: environment: there is no environment `prod`; allowed: live, local",
            "msctl.yaml:18:1: enviroment: unknown key; did you mean `environment`?",
        ],
    );
}

#[test]
fn what_has_the_wrong_type_is_told_with_what_is_allowed() {
    let text = "\
name: 5
services:
  web:
    run:
    port: http
    values: 7
    local: x
  two: no
  three: {run: [a, {b: c}], port: 1, image: '', folder: [x]}
environments: [staging]
environment: true
";
    refused(
        "types",
        text,
        &[
            "msctl.yaml:1:7: name: `5` is a number; allowed: a string; put it in quotes",
            "msctl.yaml:4:5: services.web.run: it is empty; allowed: a command line, or a list of its words",
            "msctl.yaml:5:11: services.web.port: `http` is a string; allowed: a whole number from 1 to 65535",
            "msctl.yaml:6:13: services.web.values: `7` is a number; allowed: a map of values, the name of a file with some, or a list of both",
            "msctl.yaml:7:12: services.web.local: `x` is a string; allowed: a map of values",
            "msctl.yaml:8:8: services.two: `no` is a boolean; allowed: a map with the keys run, folder, image, port, values, local",
            "msctl.yaml:9:20: services.three.run[1]: it is a map; allowed: a word of the command",
            "msctl.yaml:9:45: services.three.image: it is empty",
            "msctl.yaml:9:57: services.three.folder: it is a list; allowed: a string",
            "msctl.yaml:10:15: environments: it is a list; allowed: a map of environments by their names",
            "msctl.yaml:11:14: environment: `true` is a boolean; allowed: a string; put it in quotes",
        ],
    );
}

#[test]
fn services_on_this_machine_have_a_port_each() {
    let text = "\
name: shop
services:
  service-a: {run: service-a}
  web:
    run: web
    port: 8000
  more:
    run: more
    port: 81
    local: {service: {port: 8000}}
  cluster:
    port: 8000
  none:
    run: none
  twice:
    port: 80
    values: {service: {port: 81}}
";
    refused(
        "ports",
        text,
        &[
            "msctl.yaml:6:11: services.web.port: 8000 is the port of service-a too (line 3); on this machine each has its own",
            "msctl.yaml:9:11: services.more.port: 8000 is the port of service-a too (line 3); on this machine each has its own",
            "msctl.yaml:13:3: services.none: `port` is missing, and msctl brings no chart of none that says it; add the port that it listens on, such as `port: 8080`",
            "msctl.yaml:16:11: services.twice.port: `values` has another one as service.port; say it once",
        ],
    );
}

#[test]
fn a_project_has_a_service() {
    refused(
        "empty",
        "",
        &[
            "msctl.yaml: services: it is missing; a project has at least one service, such as `orders: {run: ./orders, port: 8080}`",
        ],
    );
    refused(
        "missing",
        "name: shop\n",
        &[
            "msctl.yaml:1:1: services: it is missing; a project has at least one service, such as `orders: {run: ./orders, port: 8080}`",
        ],
    );
    refused(
        "null",
        "name: shop\nservices:\n",
        &[
            "msctl.yaml:2:1: services: it is empty; a project has at least one service, such as `orders: {run: ./orders, port: 8080}`",
        ],
    );
    refused("list", "- shop\n", &["msctl.yaml:1:1: the document is a list; allowed: a map"]);
    refused(
        "services",
        "name: shop\nservices: [a]\n",
        &["msctl.yaml:2:11: services: it is a list; allowed: a map of services by their names"],
    );
}

#[test]
fn files_of_values_are_read_with_the_project() {
    let text = "\
name: shop
services:
  web:
    port: 80
    values:
      - none.yaml
      - wrong.yaml
      - broken.yaml
      - []
";
    refused(
        "files",
        text,
        &[
            "msctl.yaml:6:9: services.web.values[0]: none.yaml: there is no such file",
            "msctl.yaml:9:9: services.web.values[3]: it is a list; allowed: a map of values, the name of a file with some, or a list of both",
            "broken.yaml:2:2: while parsing a block mapping, did not find expected key",
            "wrong.yaml:2:1: replicsa: unknown key; did you mean `replicas`?",
            "wrong.yaml:3:17: service.port: `http` is a string; allowed: a whole number from 1 to 65535",
        ],
    );
}

#[test]
fn values_of_an_environment_are_the_problem_of_who_chooses_it() {
    let text = "\
name: shop
services: {web: {port: 80, run: web}}
environments:
  live: {context: live, values: [none.yaml, {replcas: 1}]}
  test: {context: test}
";
    let project = read("chosen", text).unwrap();
    assert_eq!(project.environment(Some(LOCAL)), Ok(Choice::Local));
    assert!(project.environment(Some("test")).is_ok());
    let told = project.environment(Some("live")).unwrap_err().to_string();
    for problem in
        ["live.values[0]: ", "none.yaml: there is no such file", "4:46: environments.live.values[1].replcas: "]
    {
        assert!(told.contains(problem), "{problem}: {told}");
    }
}

#[test]
fn rules_between_keys_wait_until_all_layers_are_together() {
    let text = "\
name: shop
services:
  web:
    port: 80
    values: {replicas: 2, database: {kind: postgres}}
    local: {database: {kind: sqlite}}
environments:
  live: {context: live, values: {database: {postgres: {secret: web}}}}
";
    assert!(read("rules", text).is_ok());
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    refused("syntax", "name: shop\nservices:\n  web: {run: web\n", &["msctl.yaml:3:8: unclosed bracket '{'"]);
    refused(
        "tab",
        "name: shop\nservices:\n\tweb: {}\n",
        &["msctl.yaml:3:2: tabs disallowed within this context (block indentation)"],
    );
    refused(
        "twice",
        "name: shop\nservices:\n  service-a: {}\n  service-b: {}\n  service-a: {}\n",
        &["msctl.yaml:5:3: the key `service-a` is there twice"],
    );
    refused(
        "date",
        "name: 2024-01-02\nservices: {service-a: }\n",
        &["msctl.yaml:1:7: `2024-01-02`: it is read as a date; put it in quotes"],
    );
    refused(
        "two",
        "name: shop\nservices: {service-a: }\n---\nname: x\n",
        &["msctl.yaml:4:1: a second document starts here; allowed: one"],
    );
}

#[test]
fn a_command_names_a_program() {
    let text = "\
name: shop
services:
  a: {port: 1, run: ''}
  b: {port: 2, run: []}
  c: {port: 3, run: '# nothing'}
  d: {port: 4, run: ['', x]}
  e: {port: 5, run: \"a\\0b\"}
  f: {port: 6, run: a && b}
  g:
    port: 7
    run: >
      a
      \"b
  h: {port: 8, run: \"a\\tb $PORT\"}
";
    refused(
        "run",
        text,
        &[
            "msctl.yaml:3:21: services.a.run: it names no program; allowed: a command line, or a list of its words",
            "msctl.yaml:4:21: services.b.run: it names no program; allowed: a command line, or a list of its words",
            "msctl.yaml:5:21: services.c.run: it names no program; allowed: a command line, or a list of its words",
            "msctl.yaml:6:21: services.d.run: it names no program; allowed: a command line, or a list of its words",
            "msctl.yaml:7:21: services.e.run: a NUL character can't be part of a command",
            "msctl.yaml:8:23: services.f.run: no shell runs it, so `&&` would be passed on as it is; write sh -c '…' for a shell, or quotes around it",
            r#"msctl.yaml:12:7: services.g.run: the quotation `"b` has no closing ""#,
            "msctl.yaml:14:21: services.h.run: no shell runs it, so `$PORT` would be passed on as it is; write sh -c '…' for a shell, or quotes around it",
        ],
    );
}

#[test]
fn what_an_alias_or_a_merge_key_brings_has_a_place_too() {
    let text = "\
name: shop
services:
  service-a: &common
    values: &values {replcas: 1}
  service-b:
    values: *values
  web:
    <<: *common
    'no': 5
    port: 0
";
    refused(
        "alias",
        text,
        &[
            "msctl.yaml:4:22: services.service-a.values.replcas: unknown key; did you mean `replicas`?",
            "msctl.yaml:4:22: services.service-b.values.replcas: unknown key; did you mean `replicas`?",
            "msctl.yaml:7:3: services.web.values.replcas: unknown key; did you mean `replicas`?",
            "msctl.yaml:9:5: services.web.no: unknown key; allowed here: run, folder, image, port, values, local",
            "msctl.yaml:10:11: services.web.port: 0 is out of range; allowed: a whole number from 1 to 65535",
        ],
    );
}
