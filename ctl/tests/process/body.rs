//! `call -d @-`: stdin that has nothing to say for a while, or too much.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{code, ended, msctl, send, silent_server, stderr};

#[test]
fn a_stdin_that_stays_silent_is_given_up_and_nothing_is_sent() {
    for (signal, expected, said) in [
        (None, 70, "error: calling http://127.0.0.1"),
        (Some("INT"), 130, "error: interrupted: calling http://127.0.0.1"),
    ] {
        let (listener, port) = silent_server();
        // Held open: it neither says anything nor ends.
        let (reader, writer) = std::io::pipe().unwrap();
        let url = format!("http://127.0.0.1:{port}/");
        let timeout = if signal.is_some() { "60s" } else { "1s" };
        let mut command = msctl(&["call", &url, "--via", "direct", "-d", "@-", "--timeout", timeout]);
        let began = Instant::now();
        let child = command.stdin(reader).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let Some(signal) = signal {
            until_heard(&child);
            send(&child, signal);
        }
        let output = ended(child);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        drop(writer);
        let text = stderr(&output);
        assert_eq!(code(&output), expected, "{text}");
        assert!(text.contains(said) && text.contains("why: it was reading the body from stdin"), "{text}");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "it was sent");
    }
}

/// Waits until SIGINT is handled: before that it ends the process at once.
pub(super) fn until_heard(child: &std::process::Child) {
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap() & 0b10 != 0
    };
    let began = Instant::now();
    while !caught() {
        assert!(began.elapsed() < Duration::from_secs(5), "no handler of SIGINT");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stdin_without_end_is_refused_with_the_bound() {
    let zeros = std::fs::File::open("/dev/zero").unwrap();
    let output = msctl(&["call", "service-a", "-d", "@-"]).stdin(zeros).output().unwrap();
    let text = stderr(&output);
    assert_eq!(code(&output), 2, "{text}");
    assert!(
        text.contains("the body from stdin is larger than 64 MiB") && text.contains("next: --data @FILE"),
        "{text}"
    );
}
