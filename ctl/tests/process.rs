//! The program as a process: exit codes, streams, signals. No cluster; what answers, if anything, is a socket here.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[path = "process/body.rs"]
mod body;
// What the scenarios ask of an error, the tests of the process do.
#[path = "../../tests/e2e/src/explanation.rs"]
#[expect(unreachable_pub, reason = "there it is a library's")]
mod explanation;
#[path = "process/follow.rs"]
mod follow;
#[path = "process/local.rs"]
mod local;
#[path = "process/plugin.rs"]
mod plugin;
#[path = "process/reader.rs"]
mod reader;
#[path = "process/service.rs"]
mod service;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn msctl(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_msctl"));
    command
        .args(args)
        .env_remove("KUBECONFIG")
        .env_remove("MSCTL_PROJECT")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("HOME", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    let mut command = msctl(args);
    ended(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// What it printed by its end. One that hangs is ended, which has no exit code.
fn ended(child: Child) -> Output {
    let id = child.id();
    let kill = move || drop(Command::new("sh").args(["-c", &format!("kill -KILL {id}")]).status());
    watched(|| child.wait_with_output(), kill).unwrap()
}

/// What comes of `work`, which `end` ends when it hangs.
fn watched<T>(work: impl FnOnce() -> T, end: impl FnOnce() + Send + 'static) -> T {
    const PATIENCE: Duration = Duration::from_mins(1);
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if is_done.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            end();
        }
    });
    let outcome = work();
    drop(done);
    watchdog.join().unwrap();
    outcome
}

/// The exit code. Where it is one of a failure, the error has to be whole: see [`explanation`].
#[track_caller]
fn code(output: &Output) -> i32 {
    let (code, said) = (output.status.code().unwrap(), stderr(output));
    assert!(!said.contains("panicked at"), "{said}");
    // Logs that are followed end without a word.
    let told = code == 0 || (code == 130 && said.is_empty());
    assert!(told || explanation::is_whole(&said), "{said}");
    code
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A kubeconfig for a server on this port, removed when dropped.
struct Kubeconfig(PathBuf);

impl Kubeconfig {
    fn new(test: &str, port: u16) -> Self {
        let path = std::env::temp_dir().join(format!("msctl-{test}-{}.yaml", std::process::id()));
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: dev\n\
             clusters: [{{name: dev, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
             users: [{{name: dev, user: {{}}}}]\n\
             contexts: [{{name: dev, context: {{cluster: dev, user: dev, namespace: shop}}}}]\n"
        );
        std::fs::write(&path, config).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A port that accepts connections and never says anything.
fn silent_server() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn help_and_version_are_results_on_stdout() {
    let version = run(&["--version"]);
    assert_eq!(code(&version), 0);
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("msctl "));
    let help = run(&["deploy", "--help"]);
    assert_eq!(code(&help), 0);
    assert!(String::from_utf8_lossy(&help.stdout).contains("msctl deploy service-a"));
    assert_eq!(stderr(&help), "");
}

#[test]
fn a_misspelt_verb_is_a_usage_error_with_the_one_that_was_meant() {
    let output = run(&["deplyo"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("'deploy'"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn numbers_out_of_range_are_usage_errors_that_say_the_range() {
    for args in [
        &["deploy", "orders", "--image", "x/y:1", "--port", "70000"][..],
        &["scale", "service-a", "--replicas", "-1"],
        &["scale", "service-a", "--replicas", "many"],
        &["deploy", "service-a", "--timeout", "soon"],
        &["scale", "service-a"],
        &["scale", "service-a", "--min", "5", "--max", "2"],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn no_kubeconfig_is_an_error_with_the_next_step() {
    for args in
        [&["deploy", "service-a"][..], &["status"], &["scale", "service-a", "--replicas", "2"], &["delete", "x"]]
    {
        let output = run(args);
        assert_eq!(code(&output), 3, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("no kubeconfig found") && stderr(&output).contains("next:"), "{args:?}");
    }
}

#[test]
fn the_help_of_deploy_names_all_that_is_bundled() {
    let help = String::from_utf8(run(&["deploy", "--help"]).stdout).unwrap();
    for name in ["service-a", "service-b", "jaeger"] {
        assert!(help.split_once("Options:").unwrap().0.contains(name), "{name}: {help}");
    }
}

#[test]
fn a_client_side_dry_run_needs_no_cluster() {
    let output = run(&["deploy", "service-a", "--dry-run=client", "-o", "yaml", "-n", "shop"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("kind: Deployment") && text.contains("namespace: shop"), "{text}");
}

#[test]
fn an_unreachable_api_server_has_its_own_exit_code() {
    let (listener, port) = silent_server();
    drop(listener);
    let config = Kubeconfig::new("refused", port);
    let output = run(&["--kubeconfig", config.path(), "deploy", "service-a"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("127.0.0.1:{port}")), "{}", stderr(&output));
}

#[test]
fn an_api_server_that_never_answers_is_given_up_at_the_request_timeout() {
    let (_listener, port) = silent_server();
    let config = Kubeconfig::new("silent", port);
    let began = Instant::now();
    let output = run(&["--kubeconfig", config.path(), "status", "--request-timeout", "300ms"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    // Half of what it is without the flag.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_deadline_has_its_own_exit_code() {
    let (_listener, port) = silent_server();
    let config = Kubeconfig::new("deadline", port);
    let began = Instant::now();
    let output = run(&["--kubeconfig", config.path(), "deploy", "service-a", "--timeout", "300ms"]);
    assert_eq!(code(&output), 70, "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(stderr(&output).contains("deploy service-a is not done after 300ms"), "{}", stderr(&output));
}

/// The same command, to which no signal is ignored: these tests may run under `nohup`, whose children stay immune.
fn heard(command: &Command) -> Command {
    started_by(&["env", "--default-signal=HUP", "--"], command)
}

/// The same command as the last words of another one's.
fn started_by(launcher: &[&str], command: &Command) -> Command {
    let mut started = Command::new(launcher[0]);
    started.args(&launcher[1..]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    started.stdin(Stdio::null());
    started
}

/// Starts msctl, waits until it has made a request, and sends it a signal.
fn interrupted(test: &str, args: &[&str], signal: &str) -> Output {
    let (listener, port) = silent_server();
    let config = Kubeconfig::new(test, port);
    let child = heard(&msctl(args))
        .args(["--kubeconfig", config.path(), "--request-timeout", "1s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut connection = accepted(&listener);
    // Its handlers are there before its first request.
    assert!(connection.read(&mut [0; 1]).unwrap() > 0);
    send(&child, signal);
    // Nobody answers the requests that give things back either.
    let output = ended(child);
    drop(listener);
    output
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_ends_every_verb_that_waits_for_the_api_server_with_130() {
    for (verb, args) in [
        ("deploy", &["deploy", "service-a"][..]),
        ("scale", &["scale", "service-a", "--replicas", "2"]),
        ("status", &["status"]),
        ("delete", &["delete", "service-a"]),
        ("dry-run", &["deploy", "service-a", "--dry-run=server"]),
        // These open a way.
        ("call", &["call", "service-a", "--via", "relay"]),
        ("trace", &["trace", "service-a", "--via", "relay"]),
    ] {
        let output = interrupted(verb, args, "INT");
        assert_eq!(code(&output), 130, "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: interrupted"), "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("why: it got SIGINT (Ctrl-C)"), "{verb}: {}", stderr(&output));
        let next =
            if verb == "dry-run" { "SERVICE --dry-run=client, which asks no API server" } else { "next: msctl status" };
        assert!(stderr(&output).contains(next), "{verb}: {}", stderr(&output));
    }
}

#[test]
fn ctrl_c_while_a_service_or_jaeger_does_not_answer_ends_at_once_with_130() {
    for verb in ["call", "call-post", "trace", "call-trace"] {
        let (listener, port) = silent_server();
        let (url, jaeger) = (format!("http://127.0.0.1:{port}/"), format!("localhost:{port}"));
        let mut command = match verb {
            "call" => msctl(&["call", &url]),
            "call-post" => msctl(&["call", &url, "-d", "{}"]),
            "trace" => msctl(&["trace", "service-a", "--jaeger", &jaeger]),
            _ => msctl(&["call", &url, "--trace", "--jaeger", &jaeger, "--trace-timeout", "60s"]),
        };
        command.args(["--via", "direct", "--timeout", "60s"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let mut first = request(&listener);
        // Where it is Jaeger that does not answer, the service does, and the spans are taken.
        let mut second = None;
        if verb == "call-trace" {
            answer(&mut first, "200 OK");
            second = Some(request(&listener));
        }
        let began = Instant::now();
        send(&child, "INT");
        let output = ended(child);
        let took = began.elapsed();
        drop((first, second));
        assert_eq!(code(&output), 130, "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: interrupted"), "{verb}: {}", stderr(&output));
        assert!(took < Duration::from_secs(2), "{verb}: {took:?}");
        assert_eq!(stderr(&output).contains("next: msctl trace "), verb == "call-trace", "{}", stderr(&output));
    }
}

/// The next connection, once a request has come in on it.
/// The next connection; one that never comes is no reason to wait for ever.
fn accepted(listener: &TcpListener) -> std::net::TcpStream {
    listener.set_nonblocking(true).unwrap();
    let began = Instant::now();
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                connection.set_nonblocking(false).unwrap();
                listener.set_nonblocking(false).unwrap();
                return connection;
            }
            Err(_) if began.elapsed() < Duration::from_mins(1) => std::thread::sleep(Duration::from_millis(2)),
            Err(cause) => panic!("nobody connects: {cause}"),
        }
    }
}

fn request(listener: &TcpListener) -> std::net::TcpStream {
    let mut connection = accepted(listener);
    assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
    connection
}

fn answer(connection: &mut std::net::TcpStream, status: &str) {
    let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody");
    connection.write_all(answer.as_bytes()).unwrap();
}

#[test]
fn an_error_of_the_service_keeps_its_exit_code_when_there_is_no_trace_to_show() {
    let (listener, port) = silent_server();
    let (nobody, closed) = silent_server();
    drop(nobody);
    let (url, jaeger) = (format!("http://127.0.0.1:{port}/"), format!("localhost:{closed}"));
    for (status, expected) in [("503 Service Unavailable", 5), ("200 OK", 1)] {
        let mut command = msctl(&["call", &url, "--via", "direct", "--trace", "--jaeger", &jaeger]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        answer(&mut request(&listener), status);
        let output = ended(child);
        assert_eq!(code(&output), expected, "{status}: {}", stderr(&output));
        assert!(output.stdout.starts_with(b"body"), "{status}");
        assert!(stderr(&output).contains("its trace") && stderr(&output).contains("--jaeger"), "{}", stderr(&output));
    }
}

#[test]
fn the_bound_of_a_trace_holds_for_everything_that_shows_it() {
    let (listener, port) = silent_server();
    let (url, jaeger) = (format!("http://127.0.0.1:{port}/"), format!("localhost:{port}"));
    let mut command =
        msctl(&["call", &url, "--via", "direct", "--trace", "--jaeger", &jaeger, "--trace-timeout", "1s"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    answer(&mut request(&listener), "200 OK");
    let began = Instant::now();
    let output = ended(child);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("not whole after 1s"), "{}", stderr(&output));
    // The rest is for a busy machine; the bound twice over would be more.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn sigterm_and_a_terminal_that_goes_away_end_it_as_ctrl_c_does() {
    for signal in ["TERM", "HUP"] {
        for (verb, args) in [
            ("status", &["status"][..]),
            ("deploy", &["deploy", "service-a"]),
            ("scale", &["scale", "service-a", "--replicas", "2"]),
            ("delete", &["delete", "service-a"]),
        ] {
            let output = interrupted(&format!("{signal}-{verb}"), args, signal);
            assert_eq!(code(&output), 130, "{signal} {verb}: {}", stderr(&output));
            assert!(stderr(&output).contains("error: interrupted"), "{signal} {verb}: {}", stderr(&output));
        }
    }
}

#[test]
fn what_nohup_started_outlives_its_terminal() {
    let (listener, port) = silent_server();
    let config = Kubeconfig::new("nohup", port);
    let plain = msctl(&["--kubeconfig", config.path(), "deploy", "service-a"]);
    let mut command = started_by(&["sh", "-c", "trap '' HUP; exec \"$0\" \"$@\""], &plain);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let connection = request(&listener);
    send(&child, "HUP");
    // What does not happen has no moment to wait for: one that heard it ends within a few milliseconds.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None);
    send(&child, "TERM");
    let output = ended(child);
    drop(connection);
    assert_eq!(code(&output), 130, "{}", stderr(&output));
    assert!(stderr(&output).contains("error: interrupted"), "{}", stderr(&output));
}

#[test]
fn logs_that_are_followed_end_when_nobody_reads_them_any_more() {
    let (listener, port) = silent_server();
    let config = Kubeconfig::new("nobody-reads", port);
    let mut command = msctl(&["--kubeconfig", config.path(), "logs", "service-a", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let connection = request(&listener);
    let began = Instant::now();
    drop(child.stdout.take());
    let output = ended(child);
    drop(connection);
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_closed_pipe_on_stdout_ends_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    // Before the first byte: a pipe's buffer would take the whole script.
    drop(reader);
    let output = msctl(&["completion", "bash"]).stdout(writer).output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(stderr(&output), "");
}

// Elsewhere there is no such device, and a unit test of the printer stands for it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = msctl(&["completion", "bash"]).stdout(full).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("cannot write to stdout"));
}

#[test]
fn without_a_terminal_there_is_no_colour() {
    for args in [&["--help"][..], &["deploy", "orders"], &["deplyo"]] {
        let output = run(args);
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{args:?}");
    }
}
