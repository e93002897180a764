use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::*;
use crate::testing::TempFolder;

fn error(text: &str) -> (usize, String) {
    let error = words(text).unwrap_err();
    (error.offset, error.message)
}

#[test]
fn words_are_those_of_a_shell() {
    let cases: [(&str, &[&str]); 9] = [
        ("service-a", &["service-a"]),
        ("  python3   -u app.py ", &["python3", "-u", "app.py"]),
        ("sh -c 'exec a && b $PORT'", &["sh", "-c", "exec a && b $PORT"]),
        (r#"a "b c"d e\ f "" 'g"h'"#, &["a", "b cd", "e f", "", "g\"h"]),
        (r#"a "\$x \" \\ \n""#, &["a", "$x \" \\ \\n"]),
        ("a '$HOME' '&&' 5$", &["a", "$HOME", "&&", "5$"]),
        ("a # a comment", &["a"]),
        ("a b#c", &["a", "b#c"]),
        ("grün ~/x *.py", &["grün", "~/x", "*.py"]),
    ];
    for (text, expected) in cases {
        assert_eq!(words(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn an_open_quotation_is_where_it_starts() {
    let open = |text: &str, quote: char| format!("the quotation `{text}` has no closing {quote}");
    assert_eq!(error("a 'b c"), (2, open("'b c", '\'')));
    assert_eq!(error("a 'b' \"c 'd'"), (6, open("\"c 'd'", '"')));
    assert_eq!(error("ä \"é"), (3, open("\"é", '"')));
    assert_eq!(error("'"), (0, open("'", '\'')));
    assert_eq!(error("a \"b\\\""), (2, open("\"b\\\"", '"')));
    let long = format!("a '{}", "é".repeat(40));
    assert_eq!(error(&long), (2, open(&format!("'{}…", "é".repeat(29)), '\'')));
    assert_eq!(error(r"a b\"), (3, "a backslash at the end escapes nothing".to_owned()));
}

#[test]
fn what_only_a_shell_understands_is_refused_unless_it_is_quoted() {
    for (text, word) in [
        ("make && ./app", "&&"),
        ("app --port $PORT", "$PORT"),
        ("app --port=${PORT} x", "--port=${PORT}"),
        ("app > log", ">"),
        ("app $(cat x)", "$(cat"),
    ] {
        let (offset, message) = error(text);
        assert_eq!(offset, text.find(word).unwrap(), "{text}");
        assert!(
            message.starts_with(&format!("no shell runs it, so `{word}` would be passed on as it is; ")),
            "{message}"
        );
    }
}

fn program(folder: &Path, name: &str, mode: u32) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    file
}

fn run(name: impl Into<String>) -> Run {
    Run { argv: vec![name.into(), "--flag".into()] }
}

#[test]
fn a_name_is_looked_for_beside_msctl_and_then_on_the_path() {
    let folder = TempFolder::new("run-path");
    let [beside, first, second] = ["beside", "first", "second"].map(|name| folder.folder(name));
    let path = std::env::join_paths([&first, &second]).unwrap();
    let resolve = |name: &str| run(name).resolve(&beside, Some(&path));

    let late = program(&second, "app", 0o755);
    assert_eq!(resolve("app").unwrap(), late);
    program(&first, "app", 0o644);
    assert_eq!(resolve("app").unwrap(), late, "one that can't be run is passed over");
    let near = program(&beside, "app", 0o755);
    assert_eq!(resolve("app").unwrap(), near);

    let shown = |folder: &Path| folder.display().to_string();
    let looked = [&beside, &first, &second].map(|folder| shown(folder)).join(", ");
    assert_eq!(resolve("ap").unwrap_err().to_string(), format!("there is no program `ap`; looked in {looked}"));
    let plain = program(&first, "plain", 0o644);
    let told = format!("{0} can't be run: it has no execute permission; chmod +x {0}", plain.display());
    assert_eq!(resolve("plain").unwrap_err().to_string(), told);
}

#[test]
fn without_a_path_only_msctls_folder_is_looked_at_and_a_relative_folder_never() {
    let folder = TempFolder::new("run-no-path");
    let beside = folder.folder("beside");
    let told = format!("there is no program `app`; looked in {}", beside.display());
    assert_eq!(run("app").resolve(&beside, None).unwrap_err().to_string(), told);
    assert_eq!(run("app").resolve(&beside, Some(&OsString::from(":.:src"))).unwrap_err().to_string(), told);
}

#[test]
fn a_path_is_taken_as_it_is() {
    let folder = TempFolder::new("run-slash");
    let beside = folder.folder("beside");
    program(&beside, "app", 0o755);
    let resolve = |path: &Path| run(path.display().to_string()).resolve(&beside, None);
    let there = program(folder.path(), "app", 0o700);
    assert_eq!(resolve(&there).unwrap(), there);
    let missing = folder.path().join("none");
    assert_eq!(resolve(&missing).unwrap_err().to_string(), format!("there is no program {}", missing.display()));
    let told = format!("{} can't be run: it is no file", beside.display());
    assert_eq!(resolve(&beside).unwrap_err().to_string(), told);
}
