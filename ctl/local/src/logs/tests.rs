use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::timeout;

use super::*;
use crate::testing::Folder;

const LONG: Duration = Duration::from_secs(10);

fn logs(folder: &Folder) -> Logs {
    Logs::new(folder.path().to_owned())
}

fn open(logs: &Logs, replica: &str) -> Arc<LogFile> {
    logs.open(service_of(replica).unwrap(), replica, Arc::new(|event| panic!("{event}")))
}

async fn texts(logs: &Logs, service: &str, options: Options) -> Vec<String> {
    let lines = logs.read(vec![service.to_owned()], &options);
    lines.map(|line| line.unwrap()).map(|line| format!("{} {}", line.replica, line.line)).collect().await
}

#[tokio::test]
async fn lines_of_replicas_are_merged_in_the_order_in_which_they_came() {
    let folder = Folder::new();
    let logs = logs(&folder);
    let (one, two, other) = (open(&logs, "a-b-1-x"), open(&logs, "a-b-2-y"), open(&logs, "a-1-z"));
    one.append(&[b"first", b"second"]);
    two.append(&[b"third"]);
    other.append(&[b"of another service"]);
    one.append(&[b"fourth"]);
    logs.close("a-b-1-x");
    assert_eq!(
        texts(&logs, "a-b", Options::default()).await,
        ["a-b-1-x first", "a-b-1-x second", "a-b-2-y third", "a-b-1-x fourth"]
    );
    let tail = Options { tail: Some(1), ..Options::default() };
    assert_eq!(texts(&logs, "a-b", tail).await, ["a-b-2-y third", "a-b-1-x fourth"]);
    let now = Options { since_ms: Some(0), ..Options::default() };
    assert_eq!(texts(&logs, "a-b", now).await, [""; 0]);
}

#[tokio::test]
async fn who_follows_gets_each_line_once_however_it_was_written() {
    let folder = Folder::new();
    let logs = logs(&folder);
    let file = open(&logs, "a-1-x");
    let writer = std::thread::spawn(move || {
        for number in 0..20_000 {
            file.append(&[format!("{number}").as_bytes()]);
        }
    });
    let options = Options { follow: true, ..Options::default() };
    // More lines than the channel holds: a reader that is behind goes on from the file.
    let mut lines = logs.read(vec!["a".to_owned()], &options);
    for number in 0..20_000 {
        let line = timeout(LONG, lines.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(line.line, number.to_string());
    }
    writer.join().unwrap();
}

#[tokio::test]
async fn who_follows_gets_the_lines_of_replicas_that_start_later() {
    let folder = Folder::new();
    let logs = logs(&folder);
    open(&logs, "a-1-x").append(&[b"before"]);
    let options = Options { follow: true, ..Options::default() };
    let mut lines = logs.read(vec!["a".to_owned()], &options);
    let mut next = async || timeout(LONG, lines.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(next().await.line, "before");
    open(&logs, "a-1-y").append(&[b"after"]);
    assert_eq!((next().await.replica), "a-1-y");
}

#[tokio::test]
async fn a_log_that_grows_too_long_loses_its_oldest_half() {
    let folder = Folder::new();
    let logs = logs(&folder);
    let file = LogFile::new(folder.path(), "a", "a-1-x", logs.live.clone(), Arc::new(|_| ())).with_longest(100_000);
    for number in 0..10_000 {
        file.append(&[format!("line {number}").as_bytes()]);
    }
    let kept = texts(&logs, "a", Options::default()).await;
    assert!(fs::metadata(folder.path().join("a-1-x.log")).unwrap().len() <= 100_000);
    assert!(kept.len() > 1_000);
    let first = 10_000 - kept.len();
    for (index, line) in kept.iter().enumerate() {
        assert_eq!(*line, format!("a-1-x line {}", first + index));
    }
}

#[tokio::test]
async fn a_service_writes_on_when_its_log_cannot_be_kept() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell: Tell = Arc::new({
        let told = told.clone();
        move |event: Event| told.lock().unwrap().push(event.to_string())
    });
    // Every write to it fails as on a full disk.
    let folder = Folder::new();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("a-1-x.log")).unwrap();
    let logs = logs(&folder);
    let file = logs.open("a", "a-1-x", tell);
    let capture = Capture::start(file.clone()).unwrap();
    let mut output = File::options().write(true).open(capture.path()).unwrap();
    for number in 0..1000 {
        writeln!(output, "line {number}").unwrap();
    }
    drop(output);
    let last = capture.into_tail().last().await;
    assert_eq!(last.last().unwrap(), "line 999");
    assert_eq!(told.lock().unwrap().len(), 1);
    assert!(told.lock().unwrap()[0].contains("lines are lost: No space left on device"));

    fs::remove_file(folder.path().join("a-1-x.log")).unwrap();
    let deadline = std::time::Instant::now() + LONG;
    while told.lock().unwrap().len() == 1 {
        assert!(std::time::Instant::now() < deadline);
        file.append(&[b"room again"]);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(told.lock().unwrap()[1], "a-1-x: its log is written again; 1000 lines were lost");
    assert_eq!(texts(&logs, "a", Options::default()).await[0], "a-1-x room again");
}

#[tokio::test]
async fn a_line_without_end_is_split_and_the_last_one_needs_no_newline() {
    let folder = Folder::new();
    let logs = logs(&folder);
    let capture = Capture::start(open(&logs, "a-1-x")).unwrap();
    let mut output = File::options().write(true).open(capture.path()).unwrap();
    output.write_all(b"one\r\n\ntwo").unwrap();
    output.write_all(&vec![b'x'; 40_000]).unwrap();
    drop(output);
    let last = capture.into_tail().last().await;
    assert_eq!(last[..2], ["one", ""]);
    assert!(last.iter().all(|line| line.len() <= file::LONGEST_LINE));
    assert_eq!(last[2..].concat().len(), 40_003);
}

#[test]
fn old_files_of_ended_replicas_go() {
    let folder = Folder::new();
    let logs = logs(&folder);
    let first = open(&logs, "a-1-first");
    first.append(&[b"alive"]);
    for number in 0..30 {
        let replica = format!("a-2-{number}");
        open(&logs, &replica).append(&[b"line"]);
        logs.close(&replica);
    }
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert!(files <= ENDED + 2, "{files}");
    assert!(folder.path().join("a-1-first.log").exists());
}
