//! Whoever reads what msctl writes, and does not; whoever writes what it reads, and does not.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{code, ended, msctl, request, send, silent_server, stderr};

/// More than a pipe and two sockets' buffers hold.
const LARGE: usize = 64 << 20;

/// How the wait ends: by a signal or by the clock, and how msctl ends then.
const ENDS: [(Option<&str>, &str, i32); 2] = [(Some("INT"), "60s", 130), (None, "1s", 70)];

fn pipe(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("msctl-reader-{name}-{}", std::process::id()));
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Nothing has moved for a while: the pipe is full, and what is behind it.
fn until_it_stands_still(sent: &AtomicUsize) {
    let (mut last, mut since) = (0, Instant::now());
    while last == 0 || since.elapsed() < Duration::from_millis(700) {
        let now = sent.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < Duration::from_secs(20), "nothing is sent");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_reader_that_does_not_read_holds_neither_ctrl_c_nor_the_deadline() {
    for to_file in [false, true] {
        for (signal, timeout, expected) in ENDS {
            let (listener, port) = silent_server();
            let url = format!("http://127.0.0.1:{port}/");
            let mut command = msctl(&["call", &url, "--via", "direct", "--timeout", timeout]);
            let path = pipe(&format!("large-{to_file}-{expected}"));
            // Held open, and never read.
            let held = to_file.then(|| {
                command.args(["--output-file", path.to_str().unwrap()]);
                std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap()
            });
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let unread = child.stdout.take();
            let mut connection = request(&listener);
            let sent = Arc::new(AtomicUsize::new(0));
            let counted = sent.clone();
            let sending = std::thread::spawn(move || {
                let start = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
                connection.write_all(start.as_bytes()).unwrap();
                // It goes away before it has all.
                while connection.write_all(&[b'x'; 4096]).is_ok() {
                    counted.fetch_add(4096, Ordering::Relaxed);
                }
            });
            let began = Instant::now();
            if let Some(signal) = signal {
                until_it_stands_still(&sent);
                send(&child, signal);
            }
            let output = ended(child);
            let took = began.elapsed();
            drop((unread, held));
            std::fs::remove_file(path).unwrap();
            sending.join().unwrap();
            assert_eq!(code(&output), expected, "{to_file}: {}", stderr(&output));
            assert!(stderr(&output).contains("why: whoever reads it takes no more"), "{}", stderr(&output));
            assert!(took < Duration::from_secs(5), "{to_file}: {took:?}");
        }
    }
}

#[test]
fn a_pipe_that_nobody_reads_is_waited_for_until_the_deadline_and_nothing_is_sent() {
    for (signal, timeout, expected) in ENDS {
        let (listener, port) = silent_server();
        let path = pipe(&format!("unopened-{expected}"));
        let url = format!("http://127.0.0.1:{port}/");
        let args = ["call", &url, "--via", "direct", "--timeout", timeout, "--output-file", path.to_str().unwrap()];
        let child = msctl(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        if let Some(signal) = signal {
            super::body::until_heard(&child);
            send(&child, signal);
        }
        let output = ended(child);
        std::fs::remove_file(path).unwrap();
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        assert!(stderr(&output).contains("why: it was opening the file for the body"), "{}", stderr(&output));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "it was sent");
    }
}

#[test]
fn values_that_do_not_come_hold_neither_ctrl_c_nor_the_deadline() {
    let file = pipe("values");
    let from_file = format!("env.TEXT={}", file.display());
    for flag in [["--values", "-"], ["--set-file", &from_file]] {
        for (signal, timeout, expected) in ENDS {
            // Held open: it neither says anything nor ends.
            let (stdin, writer) = std::io::pipe().unwrap();
            let mut command = msctl(&["deploy", "service-a", "--dry-run=client", "--timeout", timeout]);
            command.args(flag).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn().unwrap();
            let began = Instant::now();
            if let Some(signal) = signal {
                super::body::until_heard(&child);
                send(&child, signal);
            }
            let output = ended(child);
            drop(writer);
            assert_eq!(code(&output), expected, "{flag:?}: {}", stderr(&output));
            assert!(stderr(&output).contains("reading the values"), "{}", stderr(&output));
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_pipe_in_place_of_a_file_is_read_once_and_whole() {
    let file = pipe("once");
    let text = format!("env.TEXT={}", file.display());
    let args = ["deploy", "service-a", "--dry-run=client", "-o", "yaml", "--timeout", "20s", "--set-file", &text];
    let child = msctl(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::fs::write(&file, "what it says").unwrap();
    let output = ended(child);
    std::fs::remove_file(file).unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("TEXT: what it says"));
}
