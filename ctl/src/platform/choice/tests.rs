use super::*;
use clap::Parser as _;

use crate::cli::deploy::ValuesArgs;

fn globals(args: &[&str]) -> Globals {
    crate::cli::Cli::try_parse_from(["msctl", "status"].iter().chain(args)).unwrap().globals
}

/// A folder with an msctl.yaml, removed when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str, yaml: &str) -> Self {
        let path = std::env::temp_dir().join(format!("msctl-choice-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("msctl.yaml"), yaml).unwrap();
        Self(path)
    }

    fn globals(&self, args: &[&str]) -> Globals {
        globals(&[&["--project", self.0.to_str().unwrap()], args].concat())
    }

    fn chosen(&self, args: &[&str]) -> Chosen {
        choose(&self.globals(args)).unwrap()
    }

    fn choose(&self, args: &[&str]) -> Result<Platform, Error> {
        choose(&self.globals(args)).map(|chosen| chosen.platform)
    }

    fn refusal(&self, args: &[&str]) -> String {
        let error = self.choose(args).unwrap_err();
        assert_eq!(error.code(), crate::error::ExitCode::Usage, "{error}");
        error.to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SHOP: &str = "name: shop\nservices: {orders: {run: ./orders, port: 8080}}\n\
                    environments: {staging: {context: kind-dev, namespace: shop}}\n";

fn is_local(platform: &Platform) -> bool {
    matches!(platform, Platform::Local(_))
}

#[test]
fn the_command_line_is_asked_before_msctl_yaml_and_msctl_yaml_before_the_kubeconfig() {
    let folder = Folder::new("order", SHOP);
    assert!(!is_local(&folder.choose(&[]).unwrap()));
    assert!(is_local(&folder.choose(&["--local"]).unwrap()) && is_local(&folder.choose(&["-e", "local"]).unwrap()));
    let folder = Folder::new("default", &format!("{SHOP}environment: local\n"));
    assert!(is_local(&folder.choose(&[]).unwrap()));
    assert!(!is_local(&folder.choose(&["-e", "staging"]).unwrap()));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let folder = Folder::new("contradiction", SHOP);
    for (args, reason) in [
        (&["--local", "-e", "staging"][..], "exclude each other"),
        (&["--local", "--context", "kind-dev"], "--context kind-dev has no meaning"),
        (&["-e", "local", "--kubeconfig", "prod.yaml"], "--kubeconfig prod.yaml has no meaning"),
        (&["--local", "--as", "eve"], "--as eve has no meaning"),
        (&["--local", "--as-group", "ops"], "--as-group ops has no meaning"),
        (&["--local", "-n", "other"], "there is no namespace other on this machine"),
        (&["-e", "staging", "--context", "production"], "pinned to context kind-dev"),
        (&["-e", "stagin"], "did you mean `staging`?"),
    ] {
        let refusal = folder.refusal(args);
        assert!(refusal.contains(reason), "{args:?}: {refusal}");
    }
    assert!(folder.choose(&["--local", "-n", "shop"]).is_ok());
    assert!(folder.choose(&["-e", "staging", "--context", "kind-dev"]).is_ok());
}

#[test]
fn an_msctl_yaml_that_is_wrong_is_told_with_line_and_column() {
    let folder = Folder::new("broken", "services:\n  orders: {rum: x}\n");
    assert!(folder.refusal(&[]).contains("msctl.yaml:2:"), "{}", folder.refusal(&[]));
}

/// The name of the environment that values come from.
fn environment(platform: &Platform) -> Option<String> {
    let Platform::Cluster { kubernetes, .. } = platform else { panic!("it is this machine") };
    kubernetes.environment().map(|environment| environment.name.clone())
}

#[test]
fn a_flag_that_names_a_cluster_beats_the_default_environment_and_says_so() {
    for default in ["local", "staging"] {
        let folder = Folder::new(&format!("beaten-{default}"), &format!("{SHOP}environment: {default}\n"));
        for flag in [["--context", "production"], ["--kubeconfig", "prod.yaml"]] {
            let chosen = folder.chosen(&flag);
            assert_eq!(environment(&chosen.platform), None, "{default} {flag:?}");
            let note = chosen.note.unwrap();
            assert!(note.contains(&flag.join(" ")) && note.contains(&format!("environment {default},")), "{note}");
        }
        assert_eq!(folder.chosen(&[]).note, None);
        assert!(folder.chosen(&["-e", "staging", "--kubeconfig", "x"]).note.is_none());
    }
}

#[test]
fn whom_to_impersonate_says_that_a_cluster_is_meant_and_not_which() {
    for flag in [["--as", "eve"], ["--as-group", "ops"]] {
        let folder = Folder::new("person-local", &format!("{SHOP}environment: local\n"));
        assert_eq!(environment(&folder.chosen(&flag).platform), None);
        let folder = Folder::new("person", &format!("{SHOP}environment: staging\n"));
        assert_eq!(environment(&folder.chosen(&flag).platform).as_deref(), Some("staging"));
    }
}

#[test]
fn without_a_default_there_is_nothing_to_say_about_a_cluster_that_is_named() {
    let folder = Folder::new("no-default", SHOP);
    assert!(folder.chosen(&["--context", "production"]).note.is_none());
}

#[test]
fn a_working_directory_that_is_gone_is_in_no_project_and_needed_by_relative_paths_only() {
    let gone = || Err(io::Error::from(io::ErrorKind::NotFound));
    assert_eq!(project(&globals(&[]), gone()).unwrap(), None);
    let folder = Folder::new("gone", SHOP);
    assert_eq!(project(&folder.globals(&[]), gone()).unwrap().unwrap().name, "shop");
    let error = project(&globals(&["--project", "shop/msctl.yaml"]), gone()).unwrap_err().to_string();
    assert!(error.contains("cannot look for shop/msctl.yaml") && error.contains("absolute"), "{error}");
}

#[test]
fn a_project_that_cannot_be_read_stops_what_needs_its_values_and_nothing_else_in_a_named_cluster() {
    let folder = Folder::new("unread", "services:\n  orders: {rum: x}\n");
    let refusal = folder.refusal(&[]);
    assert!(refusal.contains("next: correct it") && refusal.contains("next: --context NAME works"), "{refusal}");
    assert!(!folder.refusal(&["-e", "staging"]).contains("--context"));
    for flag in [["--context", "production"], ["--kubeconfig", "prod.yaml"]] {
        let platform = folder.choose(&flag).unwrap();
        let error = platform.wanted(&["orders".to_owned()], &ValuesArgs::default()).unwrap_err().to_string();
        assert!(error.contains("msctl.yaml:2:") && error.contains("next: correct it"), "{error}");
        let (printer, _, err) = crate::output::tests::captured();
        platform.tell_unread(&printer);
        assert!(
            err.text().contains("msctl.yaml, so it does not count: ") && err.text().contains(":2:"),
            "{}",
            err.text()
        );
    }
}

#[test]
fn a_values_file_that_is_missing_stops_the_environment_that_names_it() {
    let folder = Folder::new("values", &SHOP.replace("namespace: shop", "values: none.yaml"));
    assert!(is_local(&folder.choose(&["--local"]).unwrap()));
    assert!(folder.choose(&[]).is_ok());
    let refusal = folder.refusal(&["-e", "staging"]);
    assert!(refusal.contains("none.yaml: there is no such file") && refusal.contains("next: correct it"), "{refusal}");
}

#[test]
fn the_environment_says_where_spans_go_when_that_can_be_reached() {
    for (said, counts) in [
        ("otlp: 'http://otel.ops:4318'", true),
        ("jaeger: jaeger.ops", true),
        ("otlp: 'http://localhost:4318'", false),
        ("namespace: shop", false),
    ] {
        let folder = Folder::new("spans", &SHOP.replace("namespace: shop", said));
        assert_eq!(folder.choose(&["-e", "staging"]).unwrap().says_where_spans_go(), counts, "{said}");
        assert!(!folder.choose(&[]).unwrap().says_where_spans_go());
    }
}

#[test]
fn the_next_command_is_given_what_this_one_was_told() {
    let said = |args: &[&str]| {
        let aim = aim(&globals(args));
        aim.project.into_iter().chain(aim.place).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(said(&["--project", "a b/msctl.yaml", "--local"]), "--project 'a b/msctl.yaml' --local");
    assert_eq!(said(&["-e", "staging", "--context", "kind-dev"]), "-e staging");
    // Without it they would mean the default environment.
    assert_eq!(said(&["--context", "prod", "--kubeconfig", "k.yaml"]), "--context prod --kubeconfig k.yaml");
    assert_eq!(said(&[]), "");
}
