//! Several replicas on one database file, which one machine allows and a cluster does not.

use std::time::Duration;

use e2e::load::{Load, Question};
use e2e::messages::{nothing_undelivered, received};
use e2e::{Project, eventually};

const LOAD: Load = Load { kept: 8, fresh: 4, every: Duration::from_millis(10) };
const DURING: Duration = Duration::from_secs(6);

#[test]
fn local_five_replicas_share_one_file_under_load_and_fail_no_request() {
    let project = Project::of_a_and_b("sqlite", 1);
    project.up();
    project.msctl(&["scale", "service-a", "--replicas", "5"]).ok();
    let a = project.address("service-a");
    let right = |answer: &e2e::http::Answer| matches!(answer.status, 201 | 202);
    let question = Question { request: "POST /messages", body: r#"{"n":1}"#, right: &right };
    let (report, ()) = LOAD.ask(a, &question, || std::thread::sleep(DURING));
    report.none_failed("POST /messages", 500);
    nothing_undelivered(a);

    // None lost, none twice.
    let received = received(project.address("service-b"));
    let ids = &received[&1];
    assert_eq!(u64::try_from(ids.len()).ok(), Some(report.answered));
    let replicas = project.replicas("service-a");
    assert_eq!(replicas.len(), 5);
    let logs = project.logs();
    assert!(!logs.is_empty());
    let bad: Vec<&str> = logs.lines().filter(|line| line.contains("locked") || line.contains("ERROR")).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    eventually("all five still ready", || {
        let status = project.msctl(&["status", "service-a", "-o", "json"]).json();
        let restarts: i64 =
            status[0]["pods"].as_array().into_iter().flatten().filter_map(|p| p["restarts"].as_i64()).sum();
        if status[0]["ready"] == 5 && restarts == 0 { Ok(()) } else { Err(status.to_string()) }
    });
}
