//! The binary: arguments, environment, signals, exit codes.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

fn service_a() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_service-a"));
    command.env_clear();
    // These need none, and leave no file behind.
    command.env("DATABASE_URL", "none");
    command
}

/// Nothing here may take longer; what does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The whole of a process that prints little and ends by itself.
fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ended(&mut child);
    child.wait_with_output().unwrap()
}

/// How `child` ended; one that does not end in time is killed.
fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the process did not end within {PATIENCE:?}");
        }
        // Between two looks; there is no wait for a child with a deadline.
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn version_and_help_are_printed_without_serving() {
    let version = run(service_a().arg("--version"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), concat!("service-a ", env!("CARGO_PKG_VERSION"), "\n"));

    let help = run(service_a().arg("--help"));
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    for setting in [
        "LISTEN_ADDR=127.0.0.1:8000",
        "ADMIN_ADDR=127.0.0.1:9000",
        "SERVICE_B_URL=http://127.0.0.1:8001",
        "UPSTREAM_TIMEOUT=5s",
        "DATABASE_URL=sqlite://service-a.sqlite3",
        "DELIVERY=active",
        "DELIVERY_WAIT=5s",
        "OUTBOX_LEASE=30s",
        "OUTBOX_MAX_AGE=1d",
        "RETENTION=7d",
        "DRAIN_DELAY=0s",
        "DRAIN_TIMEOUT=20s",
        "MAX_CONNECTIONS=1024",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ] {
        assert!(help.contains(setting), "{setting} is missing from:\n{help}");
    }
}

#[test]
fn bad_variables_stop_the_start_with_exit_code_2_and_all_of_them_are_told() {
    let mut command = service_a();
    let variables = [
        ("LISTEN_ADDR", "8000"),
        ("DRAIN_TIMEOUT", "soon"),
        ("SERVICE_B_URL", "b"),
        ("MAX_CONNECTIONS", "18446744073709551615"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"),
        ("LOG_FORMAT", "xml"),
        ("OUTBOX_LEASE", "1s"),
    ];
    command.envs(variables);
    let output = run(&mut command);

    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    for (name, value) in variables {
        let line = told.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name} in:\n{told}"));
        assert!(line.contains(&format!("{value:?}")) && line.contains("allowed: "), "{line}");
    }
    assert!(told.contains("250ms") && told.contains("from 1 to 1000000"), "{told}");
}

#[test]
fn an_argument_that_is_not_known_or_not_utf_8_is_refused_with_exit_code_2() {
    use std::os::unix::ffi::OsStrExt as _;

    for (argument, shown) in [(&b"--port"[..], "--port"), (b"--\xff", "--\u{fffd}")] {
        let output = run(service_a().arg(std::ffi::OsStr::from_bytes(argument)));
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("unexpected argument") && told.contains(shown), "{told}");
    }
}

#[test]
fn an_address_in_use_stops_the_start_with_exit_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = service_a();
    command.env("LISTEN_ADDR", taken.local_addr().unwrap().to_string()).env("ADMIN_ADDR", "127.0.0.1:0");

    let output = run(&mut command);

    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("LISTEN_ADDR") && told.contains("in use"), "{told}");
}

#[test]
fn sigterm_drains_and_exits_with_0() {
    let mut service = Serving::start();
    assert!(service.get().ends_with("Hello, World!"));

    service.signal("TERM");

    assert_eq!(ended(&mut service.child).code(), Some(0));
}

/// The binary, serving; killed when dropped.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start() -> Self {
        let mut command = service_a();
        command.env("LISTEN_ADDR", "127.0.0.1:0").env("ADMIN_ADDR", "127.0.0.1:0").env("LOG_FORMAT", "json");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut service = Self { child, address: String::new() };
        // Which of the two carries the log is the telemetry crate's choice.
        let (sender, lines) = std::sync::mpsc::channel();
        for stream in [
            Box::new(service.child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(service.child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        service.address = loop {
            let line = lines.recv_timeout(PATIENCE).expect("a line that tells the address");
            if let Some((_, rest)) = line.split_once("\"listen\":\"") {
                break rest.split('"').next().unwrap().to_owned();
            }
        };
        service
    }

    fn get(&self) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
