use std::time::Duration;

use clap::Parser as _;
use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::cli::{Cli, Command};
use crate::cluster::double::Double;
use crate::output::tests::{Sink, captured};

fn parsed(args: &[&str]) -> LogsArgs {
    let cli = Cli::try_parse_from(["msctl", "logs"].iter().chain(args)).unwrap();
    let Command::Logs(args) = cli.command else { panic!("another verb") };
    args
}

/// Runs `msctl logs ARGS` against the double: outcome, stdout, stderr.
async fn run(double: &Double, args: &[&str]) -> (Result<ExitCode, Error>, String, String) {
    let (printer, out, err) = captured();
    let outcome = logs(&double.cluster().into(), &parsed(args), &printer).await;
    (outcome, out.text(), err.text())
}

fn path(pod: &str) -> String {
    format!("/api/v1/namespaces/shop/pods/{pod}")
}

/// A pod of service-a in this run of its container, or one that does not run yet.
fn put(double: &Double, pod: &str, run: Option<&str>) {
    let state = if run.is_some() { json!({ "running": {} }) } else { json!({ "waiting": {} }) };
    put_in(double, pod, run, &state);
}

fn put_in(double: &Double, pod: &str, run: Option<&str>, state: &Value) {
    let labels = json!({ "app.kubernetes.io/name": "service-a", "msctl.dev/track": "stable" });
    let status = json!({ "name": "service-a", "image": "x:1", "imageID": "", "ready": true, "restartCount": 0,
                         "containerID": run, "state": state });
    double.put(
        &path(pod),
        json!({ "metadata": { "labels": labels, "uid": format!("uid-{pod}") },
                "spec": { "containers": [{ "name": "service-a" }] },
                "status": { "containerStatuses": [status] } }),
    );
}

fn two_pods() -> Double {
    let double = Double::new();
    put(&double, "a-1", Some("c1"));
    put(&double, "a-2", Some("c2"));
    double.log("a-1", "10.1", "first").log("a-2", "10.2", "second").log("a-1", "10.3", "third");
    double
}

/// `msctl logs --follow ARGS` while a test plays the cluster.
struct Following {
    out: Sink,
    err: Sink,
    task: tokio::task::JoinHandle<Result<ExitCode, Error>>,
}

fn following(double: &Double, args: &[&str]) -> Following {
    let (printer, out, err) = captured();
    let args = parsed(&[&["--follow"], args].concat());
    let platform: Platform = double.cluster().into();
    let task = tokio::spawn(async move { logs(&platform, &args, &printer).await });
    Following { out, err, task }
}

impl Following {
    /// Waits until this is what was written.
    async fn until(&self, wanted: &[&str]) {
        let wanted = format!("{}\n", wanted.join("\n"));
        self.until_text(|out, _| out == wanted).await;
    }

    async fn until_text(&self, reached: impl Fn(&str, &str) -> bool) {
        let within = Duration::from_mins(1);
        let met = async {
            while !reached(&self.out.text(), &self.err.text()) {
                assert!(!self.task.is_finished(), "it ended: {}", self.err.text());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let met = tokio::time::timeout(within, met).await;
        assert!(met.is_ok(), "{}{}", self.out.text(), self.err.text());
    }
}

/// Waits until the double was asked to follow this pod's log so often.
async fn followed(double: &Double, pod: &str, times: usize) {
    let log = format!("GET {}/log", path(pod));
    let asked = || double.requests().iter().filter(|request| **request == log).count();
    let within = tokio::time::timeout(Duration::from_mins(1), async {
        // Once for what was there.
        while asked() < times + 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(within.await.is_ok(), "{:?}", double.requests());
}

#[tokio::test]
async fn lines_of_all_pods_come_in_the_order_of_time() {
    let (outcome, out, _) = run(&two_pods(), &["service-a"]).await;
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert_eq!(out, "a-1 | first\na-2 | second\na-1 | third\n");
}

#[tokio::test]
async fn the_last_lines_are_of_each_pod_and_can_have_their_time() {
    let (_, out, _) = run(&two_pods(), &["--tail", "1", "--timestamps"]).await;
    assert_eq!(out, "a-2 | 2026-01-01T00:00:10.2Z second\na-1 | 2026-01-01T00:00:10.3Z third\n");
}

#[tokio::test]
async fn json_is_one_object_a_line() {
    let (_, out, _) = run(&two_pods(), &["-o", "json"]).await;
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = json!({ "time": "2026-01-01T00:00:10.1Z", "service": "service-a", "pod": "a-1", "line": "first" });
    assert_eq!((lines.len(), &lines[0]), (3, &first));
}

#[tokio::test]
async fn an_unknown_service_is_an_error_and_one_that_is_scaled_to_none_is_not() {
    let double = two_pods();
    double.put("/api/v1/namespaces/shop", json!({}));
    let labels = |name: &str| json!({ "app.kubernetes.io/name": name, "msctl.dev/track": "stable" });
    double.put(
        "/apis/apps/v1/namespaces/shop/deployments/service-b",
        json!({ "metadata": { "labels": labels("service-b") }, "spec": { "replicas": 0, "selector": {}, "template": {} } }),
    );
    let error = run(&double, &["service-bb"]).await.0.unwrap_err();
    assert!(error.to_string().contains("did you mean service-b?"), "{error}");
    let (outcome, out, err) = run(&double, &["service-b"]).await;
    assert_eq!((outcome, out.as_str()), (Ok(ExitCode::Done), ""));
    assert!(err.contains("no pods"), "{err}");
}

#[tokio::test]
async fn who_may_not_read_logs_is_told_which_right_is_missing() {
    let double = two_pods();
    let message = "pods \"a-1\" is forbidden: User \"eve\" cannot get resource \"pods/log\" in API group \"\" in the \
                   namespace \"shop\"";
    double.fail(Method::GET, "/log", usize::MAX, 403, message);
    for args in [&["service-a"][..], &["service-a", "--follow"]] {
        let error = run(&double, args).await.0.unwrap_err();
        assert_eq!(error.code(), ExitCode::Forbidden);
        assert!(error.to_string().contains("pods/log"), "{error}");
    }
}

#[tokio::test]
async fn a_rollout_is_followed_from_the_first_line_of_new_pods_to_the_last_of_old_ones() {
    let double = two_pods();
    let following = following(&double, &["service-a", "--tail", "1"]);
    following.until(&["a-2 | second", "a-1 | third"]).await;
    followed(&double, "a-1", 1).await;
    double.log("a-1", "11.0", "fourth");
    following.until(&["a-2 | second", "a-1 | third", "a-1 | fourth"]).await;

    // It writes before anybody can have seen it run.
    double.log("a-3", "12.0", "hello");
    put(&double, "a-3", None);
    put(&double, "a-3", Some("c3"));
    following.until(&["a-2 | second", "a-1 | third", "a-1 | fourth", "a-3 | hello"]).await;

    // Its object is gone before its log has come to its end.
    double.remove(&path("a-1")).log("a-1", "13.0", "goodbye").end_log("a-1");
    following.until(&["a-2 | second", "a-1 | third", "a-1 | fourth", "a-3 | hello", "a-1 | goodbye"]).await;
    assert_eq!(following.err.text(), "");
}

#[tokio::test]
async fn after_a_break_it_goes_on_without_a_line_twice_or_a_line_less() {
    let double = two_pods();
    let following = following(&double, &["service-a"]);
    let start = ["a-1 | first", "a-2 | second", "a-1 | third"];
    following.until(&start).await;
    followed(&double, "a-1", 1).await;
    double.break_log("a-1").log("a-1", "10.3", "third").log("a-1", "10.4", "fourth");
    following.until(&[&start[..], &["a-1 | third", "a-1 | fourth"]].concat()).await;
    followed(&double, "a-1", 2).await;
    double.break_log("a-1");
    followed(&double, "a-1", 3).await;
    double.log("a-1", "10.5", "fifth");
    following.until(&[&start[..], &["a-1 | third", "a-1 | fourth", "a-1 | fifth"]].concat()).await;
}

#[tokio::test]
async fn a_container_that_is_started_again_is_followed_into_its_next_run() {
    let double = two_pods();
    let following = following(&double, &["service-a"]);
    let start = ["a-1 | first", "a-2 | second", "a-1 | third"];
    following.until(&start).await;
    followed(&double, "a-1", 1).await;
    double.log("a-1", "11.0", "panicked").end_log("a-1");
    put_in(&double, "a-1", Some("c1"), &json!({ "terminated": { "exitCode": 1, "containerID": "c1" } }));
    following.until(&[&start[..], &["a-1 | panicked"]].concat()).await;
    double.log("a-1", "12.0", "again");
    put(&double, "a-1", Some("c1b"));
    following.until(&[&start[..], &["a-1 | panicked", "a-1 | again"]].concat()).await;
}

#[tokio::test]
async fn what_was_written_between_a_break_and_a_restart_is_read_from_the_run_before() {
    let double = two_pods();
    let following = following(&double, &["service-a"]);
    let start = ["a-1 | first", "a-2 | second", "a-1 | third"];
    following.until(&start).await;
    followed(&double, "a-1", 1).await;
    // It can't be read until its next run is there.
    double.fail(Method::GET, "pods/a-1/log", 1, 500, "no route to the kubelet");
    double.log("a-2", "10.4", "unharmed").break_log("a-1").log("a-1", "11.0", "panicked").end_log("a-1");
    double.log("a-1", "12.0", "again");
    put(&double, "a-1", Some("c1b"));
    let ended = [&start[..], &["a-2 | unharmed", "a-1 | panicked", "a-1 | again"]].concat();
    following.until(&ended).await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_for_long_is_said_once() {
    let double = two_pods();
    double.fail(Method::GET, "follow=true", 6, 500, "the kubelet is away");
    let following = following(&double, &["service-a", "--tail", "1"]);
    let said = |err: &str| err.matches("a-1: its log cannot be read, trying again").count() == 1;
    following.until_text(|_, err| said(err)).await;
    double.log("a-1", "11.0", "fourth");
    following.until_text(|out, err| out.ends_with("a-1 | fourth\n") && said(err)).await;
}

#[tokio::test]
async fn without_any_old_line_no_new_one_is_lost_to_a_break() {
    let double = two_pods();
    let following = following(&double, &["service-a", "--tail", "0"]);
    followed(&double, "a-1", 1).await;
    double.break_log("a-1").log("a-1", "11.0", "fourth");
    following.until(&["a-1 | fourth"]).await;
}

#[tokio::test]
async fn without_any_old_line_the_next_run_is_seen_from_its_start() {
    let double = two_pods();
    let following = following(&double, &["service-a", "--tail", "0"]);
    followed(&double, "a-1", 1).await;
    put_in(&double, "a-1", Some("c1"), &json!({ "terminated": { "exitCode": 1, "containerID": "c1" } }));
    double.end_log("a-1").log("a-1", "12.0", "started");
    put(&double, "a-1", Some("c1b"));
    following.until(&["a-1 | started"]).await;
}

#[tokio::test]
async fn an_age_is_counted_from_the_first_request_only() {
    let double = Double::new();
    put(&double, "a-1", Some("c1"));
    double.end_log("a-1");
    let _following = following(&double, &["service-a", "--since", "10s"]);
    followed(&double, "a-1", 1).await;
    double.break_log("a-1");
    followed(&double, "a-1", 2).await;
    let asked = double.log_queries("a-1");
    assert!(asked[0].contains("sinceSeconds=10"), "{asked:?}");
    assert!(
        asked[1..].iter().all(|query| query.contains("sinceTime=") && !query.contains("sinceSeconds")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_log_that_cannot_be_read_does_not_hide_the_others() {
    let double = two_pods();
    double.fail(Method::GET, "pods/a-1/log", 5, 500, "the kubelet is away");
    let (outcome, out, err) = run(&double, &["service-a"]).await;
    assert_eq!(out, "a-2 | second\n");
    assert!(err.contains("a-1: its log cannot be read") && err.contains("the kubelet is away"), "{err}");
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), ExitCode::Failed);
    assert!(error.to_string().contains("a-1: "), "{error}");
}

#[tokio::test]
async fn a_log_that_cannot_be_read_yet_is_followed_from_where_it_was_wanted() {
    let double = two_pods();
    double.fail(Method::GET, "pods/a-1/log", 5, 500, "the kubelet is away");
    let following = following(&double, &["service-a", "--tail", "1"]);
    following.until(&["a-2 | second", "a-1 | third"]).await;
    double.log("a-1", "11.0", "fourth");
    following.until(&["a-2 | second", "a-1 | third", "a-1 | fourth"]).await;
}

#[tokio::test]
async fn a_line_that_is_cut_off_comes_once_and_whole() {
    let double = two_pods();
    let following = following(&double, &["service-a", "--tail", "0"]);
    followed(&double, "a-1", 1).await;
    double.log_piece("a-1", "2026-01-01T00:00:11.0Z half").hang_up("a-1");
    followed(&double, "a-1", 2).await;
    double.log_piece("a-1", " and whole\n").log("a-1", "12.0", "next");
    following.until(&["a-1 | half and whole", "a-1 | next"]).await;
}

#[tokio::test]
async fn the_last_words_of_a_run_need_no_newline() {
    let double = two_pods();
    let following = following(&double, &["service-a", "--tail", "0"]);
    followed(&double, "a-1", 1).await;
    double.log_piece("a-1", "2026-01-01T00:00:11.0Z last words");
    put_in(&double, "a-1", Some("c1"), &json!({ "terminated": { "exitCode": 1, "containerID": "c1" } }));
    // The status may be seen later than the end.
    let hang_up = |out: &str| {
        double.hang_up("a-1");
        out == "a-1 | last words\n"
    };
    following.until_text(|out, _| hang_up(out)).await;
}

#[tokio::test]
async fn nobody_who_reads_ends_it_quietly() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let err = Sink::default();
    let printer = Printer::new(Box::new(Closed), Box::new(err.clone()), crate::output::Colour::default(), false);
    let outcome = logs(&two_pods().cluster().into(), &parsed(&["-f"]), &printer).await;
    assert_eq!((outcome, err.text().as_str()), (Ok(ExitCode::Done), ""));
}

#[tokio::test]
async fn long_lines_are_not_gathered_before_they_are_written() {
    /// The largest write.
    #[derive(Clone, Default)]
    struct Largest(std::sync::Arc<std::sync::atomic::AtomicUsize>);
    impl std::io::Write for Largest {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.fetch_max(text.len(), std::sync::atomic::Ordering::Relaxed);
            Ok(text.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let double = two_pods();
    for _ in 0..12 {
        double.log("a-1", "10.5", &"x".repeat(1_000_000));
    }
    let largest = Largest::default();
    let colour = crate::output::Colour::default();
    let printer = Printer::new(Box::new(largest.clone()), Box::new(Sink::default()), colour, false);
    let outcome = logs(&double.cluster().into(), &parsed(&[]), &printer).await;
    let largest = largest.0.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(outcome, Ok(ExitCode::Done));
    assert!((1_000_000..=2 * BATCH_TEXT + 1000).contains(&largest), "{largest}");
}

#[test]
fn a_line_may_colour_its_words_and_nothing_else() {
    assert_eq!(harmless("\u{1b}[1;31mred\u{1b}[0m\tplain"), "\u{1b}[1;31mred\u{1b}[0m\tplain");
    assert_eq!(harmless("\u{1b}[2Jgone\u{1b}]0;title\u{7}\r\u{9b}2J"), " [2Jgone ]0;title   2J");
}
